// A disk in memory that can stop after any operation, lose what was not synced in several ways, or
// fail any operation.
#pragma once

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/base/file.hpp"
#include "muonlab/base/philox.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::store {

// Thrown by the operation at which the machine stops and by all later ones. No std::exception:
// nothing may handle it.
struct Crash {};

// What survives a crash of contents written and of entries changed since the last sync of their
// file or folder.
enum class Loss {
  nothing,         // everything reached the disk
  all_unsynced,    // only what was synced
  prefixes,        // of each file a first part; of each folder's changes a first part
  random_blocks,   // all entries; of each file random blocks, zeros between
  zero_fill,       // all entries and lengths, zeros for contents
  entries_first,   // all entries, no contents ("rename before data")
  random_entries,  // of each folder's changes any subset; contents in prefixes
};
inline constexpr Loss kLosses[] = {Loss::nothing,       Loss::all_unsynced, Loss::prefixes,
                                   Loss::random_blocks, Loss::zero_fill,    Loss::entries_first,
                                   Loss::random_entries};
inline bool is_random(Loss loss) {
  return loss == Loss::prefixes || loss == Loss::random_blocks || loss == Loss::random_entries;
}

enum class Fault {
  full_disk,
  quota,
  io,
  short_write,
  bad_sync,
  bad_close,
  read_only,
  permission,
  name_too_long
};
inline constexpr Fault kFaults[] = {Fault::full_disk,   Fault::quota,      Fault::io,
                                    Fault::short_write, Fault::bad_sync,   Fault::bad_close,
                                    Fault::read_only,   Fault::permission, Fault::name_too_long};

class SimulatedDisk final : public base::FileSystem {
 public:
  // --- what a test asks for ---
  void crash_after(int operations) { crash_at_ = operations_ + operations; }
  // The n-th operation from now fails (or, with `lasting`, that one and all later ones).
  void fail(Fault fault, int operation, bool lasting = false) {
    fault_ = fault, fault_at_ = operations_ + operation, fault_lasts_ = lasting, fault_hit_ = false;
  }
  void repair() { fault_.reset(); }
  bool fault_hit() const { return fault_hit_; }
  int operations() const { return operations_; }
  // The n-th sync from now does nothing, as if the program had forgotten it.
  void forget_sync(int n) { forgotten_sync_ = syncs_ + n; }
  int syncs() const { return syncs_; }
  std::string& contents(const std::string& path) { return at("edit", path)->data; }

  // The disk that a restarted machine finds.
  SimulatedDisk after_crash(Loss loss, uint64_t seed) const {
    SimulatedDisk disk;
    uint64_t draws = 0;
    disk.root_ = survive(*root_, loss, base::Philox(seed, base::Purpose::test), draws);
    return disk;
  }
  SimulatedDisk copy() const { return after_crash(Loss::nothing, 0); }

  // --- FileSystem ---
  std::unique_ptr<base::WritableFile> create(const std::string& path) override {
    begin("open for writing", path);
    auto& entries = folder_of("open for writing", path)->entries;
    const auto found = entries.find(base::base_name(path));
    if (found != entries.end()) {
      found->second->data.clear();
      return std::make_unique<File>(*this, path, found->second);
    }
    auto file = std::make_shared<Node>();
    link(path, file);
    return std::make_unique<File>(*this, path, std::move(file));
  }
  std::unique_ptr<base::WritableFile> create_new(const std::string& path) override {
    if (find(path)) throw base::io_error("open for writing", path, EEXIST);
    return create(path);
  }
  std::unique_ptr<base::WritableFile> append(const std::string& path) override {
    if (!exists(path)) return create(path);
    begin("open for writing", path);
    return std::make_unique<File>(*this, path, at("open for writing", path));
  }
  base::MappedFile map(const std::string& path) override {
    begin("open", path);
    const auto file = at("open", path);
    if (file->folder) throw base::io_error("read", path, EISDIR);
    const auto held = std::make_shared<const std::string>(file->data);
    return {path, std::as_bytes(std::span(held->data(), held->size())), held};
  }
  size_t read(const std::string& path, uint64_t offset, std::span<std::byte> into) override {
    begin("read", path);
    const auto file = at("open", path);
    if (file->folder) throw base::io_error("read", path, EISDIR);
    const size_t from = std::min<size_t>(offset, file->data.size());
    const auto bytes = std::as_bytes(std::span(file->data)).subspan(from);
    const size_t length = std::min(into.size(), bytes.size());
    std::copy_n(bytes.begin(), length, into.begin());
    return length;
  }
  void truncate(const std::string& path, uint64_t length) override {
    begin("cut", path);
    at("cut", path)->data.resize(length);
  }
  void rename(const std::string& from, const std::string& to) override {
    begin("rename to " + to, from);
    const auto node = at("rename", from);
    const auto folder = folder_of("rename", from);
    base::check(folder == folder_of("rename", to), "this disk renames within a folder only");
    Change change{base::base_name(from), base::base_name(to), node};
    const auto target = folder->entries.find(change.to);
    if (target != folder->entries.end() && target->second->folder &&
        !target->second->entries.empty()) {
      throw base::io_error("rename to " + to, from, ENOTEMPTY);
    }
    apply(change, folder->entries);
    folder->changes.push_back(std::move(change));
  }
  void remove_file(const std::string& path) override {
    begin("remove", path);
    if (at("remove", path)->folder) throw base::io_error("remove", path, EISDIR);
    unlink(path);
  }
  void remove_directory(const std::string& path) override {
    begin("remove the folder", path);
    if (!at("remove the folder", path)->entries.empty())
      throw base::io_error("remove the folder", path, ENOTEMPTY);
    unlink(path);
  }
  void make_directory(const std::string& path) override {
    begin("make the folder", path);
    if (find(path)) return;
    auto node = std::make_shared<Node>();
    node->folder = true;
    link(path, std::move(node));
  }
  void sync_directory(const std::string& path) override {
    begin("sync the folder", path, Fault::bad_sync);
    const auto folder = at("sync the folder", path);
    if (!sync_counts()) return;
    folder->durable_entries = folder->entries;
    folder->changes.clear();
  }
  std::vector<std::string> list(const std::string& path) override {
    begin("list", path);
    std::vector<std::string> names;
    for (const auto& [name, node] : at("list", path)->entries) names.push_back(name);
    return names;
  }
  bool exists(const std::string& path) override {
    begin("look at", path);
    return find(path) != nullptr;
  }
  bool is_directory(const std::string& path) override {
    begin("look at", path);
    const auto node = find(path);
    return node && node->folder;
  }
  bool is_link(const std::string&) override { return false; }
  uint64_t size(const std::string& path) override {
    begin("look at", path);
    return at("look at", path)->data.size();
  }
  uint64_t free_space(const std::string& path) override {
    begin("ask the free space", path);
    return free_space_;
  }

 private:
  struct Node;
  using Entries = std::map<std::string, std::shared_ptr<Node>>;
  // An entry appears (no `from`), vanishes (no `to`) or changes its name, at once.
  struct Change {
    std::string from, to;
    std::shared_ptr<Node> node;
  };
  struct Node {
    bool folder = false;
    std::string data, durable_data;
    Entries entries, durable_entries;
    std::vector<Change> changes;  // since the last sync, oldest first
  };

  class File final : public base::WritableFile {
   public:
    File(SimulatedDisk& disk, std::string path, std::shared_ptr<Node> node)
        : disk_(disk), path_(std::move(path)), node_(std::move(node)) {}
    void write(std::span<const std::byte> bytes) override {
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      try {
        disk_.begin("write", path_, Fault::short_write, bytes.size());
      } catch (const base::IoError&) {
        node_->data += text.substr(0, text.size() / 2);
        throw;
      }
      node_->data += text;
    }
    void sync() override {
      disk_.begin("sync to disk", path_, Fault::bad_sync);
      if (!disk_.sync_counts()) return;
      node_->durable_data = node_->data;
    }
    void close() override { disk_.begin("close", path_, Fault::bad_close); }

   private:
    SimulatedDisk& disk_;
    std::string path_;
    std::shared_ptr<Node> node_;
  };

  // Counts an operation; stops or fails it where the test asked for that. Some faults hit one kind
  // of operation only.
  void begin(const std::string& operation, const std::string& path, std::optional<Fault> kind = {},
             uint64_t bytes = 0) {
    if (crash_at_ && operations_ >= *crash_at_) throw Crash{};
    const int index = operations_++;
    if (!fault_ || index < fault_at_ || (index > fault_at_ && !fault_lasts_)) return;
    const bool special =
        fault_ == Fault::short_write || fault_ == Fault::bad_sync || fault_ == Fault::bad_close;
    if (special && fault_ != kind) return;
    fault_hit_ = true;
    throw base::io_error(operation, path, number_of(*fault_), bytes);
  }

  bool sync_counts() { return syncs_++ != forgotten_sync_; }

  static int number_of(Fault fault) {
    switch (fault) {
      case Fault::quota: return EDQUOT;
      case Fault::io:
      case Fault::bad_sync:
      case Fault::bad_close: return EIO;
      case Fault::read_only: return EROFS;
      case Fault::permission: return EACCES;
      case Fault::name_too_long: return ENAMETOOLONG;
      default: return ENOSPC;
    }
  }

  std::shared_ptr<Node> find(const std::string& path) const {
    std::shared_ptr<Node> node = root_;
    for (const std::string& part : base::split(path, '/')) {
      if (part.empty() || part == ".") continue;
      const auto next = node->entries.find(part);
      if (next == node->entries.end()) return nullptr;
      node = next->second;
    }
    return node;
  }
  std::shared_ptr<Node> at(const std::string& operation, const std::string& path) const {
    auto node = find(path);
    if (!node) throw base::io_error(operation, path, ENOENT);
    return node;
  }
  std::shared_ptr<Node> folder_of(const std::string& operation, const std::string& path) const {
    return at(operation, base::parent_path(path));
  }
  void link(const std::string& path, std::shared_ptr<Node> node) {
    change(path, {"", base::base_name(path), std::move(node)});
  }
  void unlink(const std::string& path) { change(path, {base::base_name(path), "", nullptr}); }
  void change(const std::string& path, Change change) {
    const auto folder = folder_of("change", path);
    apply(change, folder->entries);
    folder->changes.push_back(std::move(change));
  }

  // A change whose premise was itself lost does nothing.
  static void apply(const Change& change, Entries& entries) {
    if (!change.from.empty() && entries.erase(change.from) == 0) return;
    if (!change.to.empty()) entries[change.to] = change.node;
  }

  static std::shared_ptr<Node> survive(const Node& node, Loss loss, const base::Philox& random,
                                       uint64_t& draws) {
    auto left = std::make_shared<Node>();
    left->folder = node.folder;
    left->data = left->durable_data = surviving_data(node, loss, random, draws);
    for (const auto& [name, child] : surviving_entries(node, loss, random, draws)) {
      left->entries[name] = survive(*child, loss, random, draws);
    }
    left->durable_entries = left->entries;
    return left;
  }

  static std::string surviving_data(const Node& node, Loss loss, const base::Philox& random,
                                    uint64_t& draws) {
    const std::string& now = node.data;
    const std::string& synced = node.durable_data;
    if (loss == Loss::nothing || now == synced) return now;
    const size_t kept = std::min(synced.size(), now.size());
    if (loss == Loss::all_unsynced || loss == Loss::entries_first) return synced;
    if (loss == Loss::zero_fill) return now.substr(0, kept) + std::string(now.size() - kept, '\0');
    if (loss == Loss::random_blocks) {
      constexpr size_t kBlock = 64;  // small, so that small files have many
      std::string data = now;
      for (size_t start = kept; start < data.size(); start += kBlock) {
        if (random.below(draws++, 2) == 0)
          std::fill_n(data.begin() + static_cast<long>(start),
                      std::min(kBlock, data.size() - start), '\0');
      }
      return data;
    }
    return now.substr(0, kept + random.below(draws++, now.size() - kept + 1));
  }

  static Entries surviving_entries(const Node& node, Loss loss, const base::Philox& random,
                                   uint64_t& draws) {
    if (loss == Loss::all_unsynced) return node.durable_entries;
    if (loss != Loss::prefixes && loss != Loss::random_entries) return node.entries;
    Entries entries = node.durable_entries;
    const uint64_t first = loss == Loss::prefixes ? random.below(draws++, node.changes.size() + 1)
                                                  : node.changes.size();
    for (size_t i = 0; i < first; ++i) {
      if (loss == Loss::prefixes || random.below(draws++, 2) == 0) apply(node.changes[i], entries);
    }
    return entries;
  }

  std::shared_ptr<Node> root_ = [] {
    auto root = std::make_shared<Node>();
    root->folder = true;
    return root;
  }();
  int operations_ = 0, syncs_ = 0;
  std::optional<int> forgotten_sync_;
  std::optional<int> crash_at_;
  std::optional<Fault> fault_;
  int fault_at_ = 0;
  bool fault_lasts_ = false, fault_hit_ = false;
  uint64_t free_space_ = uint64_t{1} << 40;
};

}  // namespace muonlab::store
