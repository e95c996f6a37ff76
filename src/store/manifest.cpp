#include "store/manifest.hpp"

#include <nlohmann/json.hpp>

#include "muonlab/base/file.hpp"

namespace muonlab::store {
namespace {

constexpr int64_t kFormat = 1;
constexpr size_t kMaxBytes = size_t{1} << 20;

// The last line, which vouches for the lines before it.
std::string seal(std::string_view body) {
  return "\"manifest_xxh3_128\": \"" + base::hash_text(body).hex() + "\"}\n";
}

Manifest from_json(const nlohmann::json& json) {
  const int64_t format = json.at("format").get<int64_t>();
  if (format != kFormat) {
    throw base::Error("has format version ", format, ", this program reads version ", kFormat,
                      "; use the version of muonlab that wrote it");
  }
  Manifest manifest;
  manifest.step = json.at("step").get<int64_t>();
  for (const auto& [name, entry] : json.at("files").items()) {
    const auto hash = base::parse_hash(entry.at("xxh3_128").get<std::string>());
    if (!base::is_bare_name(name) || name == kManifestName || !hash) {
      throw base::Error("has a bad entry for a file");
    }
    manifest.files[name] = {entry.at("size").get<uint64_t>(), *hash};
  }
  return manifest;
}

}  // namespace

std::string manifest_text(const Manifest& manifest) {
  std::string body =
      base::str("{\n\"format\": ", kFormat, ",\n\"step\": ", manifest.step, ",\n\"files\": {\n");
  for (const auto& [name, digest] : manifest.files) {
    body += base::str("  ", nlohmann::json(name).dump(), ": {\"size\": ", digest.size,
                      ", \"xxh3_128\": \"", digest.hash.hex(), "\"}",
                      name == manifest.files.rbegin()->first ? "\n" : ",\n");
  }
  body += "},\n";
  return body + seal(body);
}

Manifest parse_manifest(std::string_view text) {
  if (text.size() > kMaxBytes) throw base::Error("is larger than a manifest can be");
  if (text.empty() || text.back() != '\n') throw base::Error("is cut off");
  const size_t end_of_body = text.substr(0, text.size() - 1).rfind('\n');
  if (end_of_body == std::string_view::npos) throw base::Error("is cut off");
  const std::string_view body = text.substr(0, end_of_body + 1);
  if (text.substr(end_of_body + 1) != seal(body)) throw base::Error("does not match its hash");
  try {
    const Manifest manifest = from_json(nlohmann::json::parse(text));
    if (manifest.step < 0 || manifest_text(manifest) != text) {
      throw base::Error("was not written by muonlab");
    }
    return manifest;
  } catch (const nlohmann::json::exception&) {
    throw base::Error("was not written by muonlab");
  }
}

}  // namespace muonlab::store
