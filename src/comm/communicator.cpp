#include "muonlab/comm/communicator.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "comm/gloo.hpp"
#include "comm/meeting.hpp"
#include "comm/nccl.hpp"
#include "comm/watch.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::comm {
namespace {

using std::chrono::milliseconds;

// How long a call waits for others that live: for work that one of them does alone, such as a save.
constexpr milliseconds kLongestWait = std::chrono::hours(24);
// Tags of the messages of one call, and of how many calls before they are used again.
constexpr int kTagsACall = 1 << 14;
constexpr uint32_t kCalls = 1 << 16;

milliseconds in_ms(double seconds) { return milliseconds(static_cast<int64_t>(seconds * 1000)); }

std::string first_line(const char* text) {
  const std::string_view whole(text);
  return std::string(whole.substr(0, whole.find('\n')));
}

at::Tensor bytes_of(const std::string& text) {
  at::Tensor bytes = at::empty({static_cast<int64_t>(text.size())}, at::kByte);
  if (!text.empty()) std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
  return bytes;
}

std::string text_of(const at::Tensor& bytes) {
  const auto* data = static_cast<const char*>(bytes.const_data_ptr());
  return {data, static_cast<size_t>(bytes.numel())};
}

}  // namespace

struct Communicator::Impl {
  Identity identity{};
  std::vector<std::string> names{};
  c10::intrusive_ptr<c10d::Store> store{};  // outlives the group, which was built on it
  c10::intrusive_ptr<c10d::Backend> group{}, device_group{};
  std::unique_ptr<Watch> watch{};
  uint32_t calls = 0;
  int64_t bytes_sent = 0;

  ~Impl() {
    if (watch) watch->leave("");
    watch.reset();
    if (device_group) device_group->shutdown();  // its destruction alone may hang
    device_group.reset();
    group.reset();
  }

  c10d::Backend& group_of(const at::Tensor& tensor) const {
    base::check(tensor.is_cpu() || device_group, "comm: the GPUs are not connected");
    return tensor.is_cpu() ? *group : *device_group;
  }

  void connect(double patience_s, double meeting_s) {
    if (!missing().empty()) throw base::Error(missing());
    // One machine needs no network; Gloo would take the address of the host's name.
    if (identity.local_size == identity.size) ::setenv("GLOO_SOCKET_IFNAME", "lo", /*overwrite=*/0);
    store = find_meeting_point(identity, meeting_s);
    names = meet_all(*store, identity, meeting_s);
    watch = std::make_unique<Watch>(
        store->clone(), identity.rank, names,
        identity.launcher_keeps_store ? "the launcher at " + identity.address : names[0],
        patience_s);
    try {
      group = connect_by_gloo(c10::make_intrusive<c10d::PrefixStore>("gloo", store), identity.rank,
                              identity.size, in_ms(meeting_s));
    } catch (const std::exception& failure) {
      throw base::Error("the processes met, but could not be connected: ",
                        watch->explain(first_line(failure.what())).text,
                        ". GLOO_SOCKET_IFNAME names the network interface to use");
    }
    group->setTimeout(kLongestWait);
  }

  template <class Call>
  void guarded(const Call& call) {
    try {
      call();
    } catch (const base::Bug&) {
      throw;
    } catch (const std::exception& failure) {
      const Watch::Cause cause = watch->explain(first_line(failure.what()));
      throw Lost(cause.is_told, cause.text +
                                    ". The newest checkpoint is whole: start the same command "
                                    "again to resume from it");
    }
  }

  // Those of the tensors that are on the CPU, or those that are not.
  void exchange(const std::vector<Message>& sends, const std::vector<Message>& receives,
                bool on_cpu) {
    const int first_tag = static_cast<int>(calls++ % kCalls) * kTagsACall;
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    c10d::Backend& by = on_cpu ? *group : *device_group;
    const auto enqueue = [&](const std::vector<Message>& messages, bool sending) {
      std::vector<int> with_peer(static_cast<size_t>(identity.size));
      for (const Message& message : messages) {
        if (message.tensor.numel() == 0 || message.tensor.is_cpu() != on_cpu) continue;
        const int tag = first_tag + with_peer[static_cast<size_t>(message.peer)]++;
        base::check(tag < first_tag + kTagsACall, "comm: too many messages in one call");
        std::vector<at::Tensor> tensors{message.tensor};
        works.push_back(sending ? by.send(tensors, message.peer, tag)
                                : by.recv(tensors, message.peer, tag));
        if (sending) bytes_sent += static_cast<int64_t>(message.tensor.nbytes());
      }
    };
    guarded([&] {
      // NCCL works on a stream and knows no tags: the messages of a call are one operation there,
      // or two processes that send to each other would wait forever.
      if (!on_cpu) by.startCoalescing();
      enqueue(receives, false);
      enqueue(sends, true);
      if (!on_cpu) works = {by.endCoalescing()};
      for (const auto& work : works) work->wait();
    });
  }

  void exchange(const std::vector<Message>& sends, const std::vector<Message>& receives) {
    const auto is_on_device = [](const Message& message) { return !message.tensor.is_cpu(); };
    exchange(sends, receives, /*on_cpu=*/true);
    if (std::any_of(sends.begin(), sends.end(), is_on_device) ||
        std::any_of(receives.begin(), receives.end(), is_on_device)) {
      base::check(device_group != nullptr, "comm: the GPUs are not connected");
      exchange(sends, receives, /*on_cpu=*/false);
    }
  }
};

Communicator::Communicator() : impl_(std::make_unique<Impl>()) {}

Communicator::Communicator(const Identity& identity, double patience_s, double meeting_s)
    : Communicator() {
  impl_->identity = identity;
  if (!alone()) impl_->connect(patience_s, meeting_s);
}

Communicator::~Communicator() = default;

void Communicator::connect_device() {
  if (alone() || impl_->device_group) return;
  try {
    impl_->device_group =
        connect_by_nccl(c10::make_intrusive<c10d::PrefixStore>("nccl", impl_->store),
                        impl_->identity.rank, impl_->identity.size);
    impl_->watch->end_with_others();
  } catch (const base::Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw base::Error("the GPUs of the processes could not be connected (",
                      first_line(failure.what()), ")");
  }
}

Communicator::Communicator(Communicator&&) noexcept = default;
Communicator& Communicator::operator=(Communicator&&) noexcept = default;

int Communicator::rank() const { return impl_->identity.rank; }
int Communicator::size() const { return impl_->identity.size; }
int Communicator::local_size() const { return impl_->identity.local_size; }
int64_t Communicator::bytes_sent() const { return impl_->bytes_sent; }

std::string Communicator::name(int rank) const {
  return alone() ? name_of(0, base::host_name()) : impl_->names.at(static_cast<size_t>(rank));
}

void Communicator::exchange(const std::vector<Message>& sends,
                            const std::vector<Message>& receives) {
  if (alone()) return;
  impl_->exchange(sends, receives);
}

at::Tensor Communicator::all_gather(const at::Tensor& own) {
  std::vector<int64_t> shape = own.sizes().vec();
  shape.insert(shape.begin(), size());
  at::Tensor all = at::empty(shape, own.options());
  all[rank()].copy_(own);
  std::vector<Message> sends, receives;
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank()) continue;
    sends.push_back({all[rank()], peer});
    receives.push_back({all[peer], peer});
  }
  exchange(sends, receives);
  return all;
}

std::vector<std::string> Communicator::all_gather(const std::string& own) {
  const at::Tensor lengths =
      all_gather(at::scalar_tensor(static_cast<int64_t>(own.size()), at::kLong));
  const at::Tensor bytes = bytes_of(own);
  std::vector<at::Tensor> texts;
  std::vector<Message> sends, receives;
  for (int peer = 0; peer < size(); ++peer) {
    const bool self = peer == rank();
    texts.push_back(self ? bytes : at::empty({lengths[peer].item<int64_t>()}, at::kByte));
    if (self) continue;
    sends.push_back({bytes, peer});
    receives.push_back({texts.back(), peer});
  }
  exchange(sends, receives);
  std::vector<std::string> all;
  for (const at::Tensor& text : texts) all.push_back(text_of(text));
  return all;
}

void Communicator::broadcast(const at::Tensor& tensor) {
  if (alone() || tensor.numel() == 0) return;
  std::vector<at::Tensor> tensors{tensor};
  impl_->guarded([&] { impl_->group_of(tensor).broadcast(tensors, {})->wait(); });
}

std::string Communicator::broadcast(const std::string& text) {
  if (alone()) return text;
  const at::Tensor length = at::scalar_tensor(static_cast<int64_t>(text.size()), at::kLong);
  broadcast(length);
  const at::Tensor bytes =
      rank() == 0 ? bytes_of(text) : at::empty({length.item<int64_t>()}, at::kByte);
  broadcast(bytes);
  return text_of(bytes);
}

void Communicator::all_reduce(const at::Tensor& tensor) {
  if (alone()) return;
  std::vector<at::Tensor> tensors{tensor};
  impl_->guarded([&] { impl_->group_of(tensor).allreduce(tensors, {})->wait(); });
}

void Communicator::barrier() {
  if (alone()) return;
  impl_->guarded([&] { impl_->group->barrier({})->wait(); });
}

void Communicator::leave(const std::string& reason) {
  if (impl_->watch) impl_->watch->leave(reason);
}

std::string missing() {
  if (has_gloo()) return "";
  return "this build of muonlab works with one process only, as the headers of Gloo were not found "
         "when it was built. Install them (Debian: apt-get install libgloo-dev) and build again";
}

}  // namespace muonlab::comm
