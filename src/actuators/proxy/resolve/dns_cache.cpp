// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "actuators/proxy/resolve/dns_cache.abi.h"
#include "actuators/proxy/resolve/memory_cache.hpp"
#include "base/wall_clock.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"

extern "C" {
extern const std::uint8_t sonde_dns_cache_bpf_object[];
extern const std::uint8_t sonde_dns_cache_bpf_object_end[];
}

namespace sonde::proxy {
namespace {

constexpr const char* map_name = "DNS_CACHE";

// FNV-1a: it has to notice torn and foreign entries, not an attacker, who could not write to the map.
class Check {
 public:
  void add(const void* bytes, std::size_t size) {
    for (const auto byte : std::string_view(static_cast<const char*>(bytes), size)) {
      value_ = (value_ ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3;
    }
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

// Who gives the same answers: proxies of one network namespace that ask the same servers.
std::uint64_t view_of(const ProxyConfig& config) {
  Check check;
  const auto cookie = kernel::network_namespace_cookie();
  const std::uint64_t number = cookie ? *cookie : 0;
  check.add(&number, sizeof(number));
  for (const std::string& server : config.dns.servers) check.add(server.c_str(), server.size() + 1);
  if (config.dns.servers.empty()) {
    std::ostringstream text;
    text << std::ifstream("/etc/resolv.conf", std::ios::binary).rdbuf();  // does not throw, as an iterator of it would
    check.add(text.view().data(), text.view().size());
  }
  return check.value();
}

class KernelCache : public DnsCache {
 public:
  KernelCache(Fd map, std::size_t capacity, std::uint64_t view)
      : map_(std::move(map)), capacity_(capacity), view_(view) {}

  bool find(const std::string& name, Entry& entry) override {
    sonde_dns_key key{};
    sonde_dns_value value{};
    if (!make_key(name, key)) return false;
    const auto found = kernel::map_lookup(map_.get(), &key, &value);
    if (!found || !*found || value.check != check_of(key, value) || value.count > SONDE_DNS_ADDRESSES) return false;
    entry.expires_wall_ns = static_cast<std::int64_t>(value.expires_wall_ns);
    if (entry.expires_wall_ns <= wall_now_ns()) return false;
    entry.addresses.resize(value.count);
    for (std::size_t i = 0; i < value.count; ++i) {
      std::memcpy(entry.addresses[i].address.data(), value.addresses[i], sizeof(value.addresses[i]));
    }
    return true;
  }

  // What cannot be stored is asked for again.
  void put(const std::string& name, const Entry& entry) override {
    sonde_dns_key key{};
    sonde_dns_value value{};
    if (!make_key(name, key)) return;
    value.expires_wall_ns = static_cast<std::uint64_t>(entry.expires_wall_ns);
    value.count = static_cast<std::uint32_t>(std::min<std::size_t>(entry.addresses.size(), SONDE_DNS_ADDRESSES));
    for (std::size_t i = 0; i < value.count; ++i) {
      std::memcpy(value.addresses[i], entry.addresses[i].address.data(), sizeof(value.addresses[i]));
    }
    value.check = check_of(key, value);
    [[maybe_unused]] const auto stored = kernel::map_update(map_.get(), &key, &value);
  }

  [[nodiscard]] std::size_t capacity() const override { return capacity_; }
  [[nodiscard]] bool in_kernel() const override { return true; }

 private:
  static bool make_key(const std::string& name, sonde_dns_key& key) {
    if (name.size() >= sizeof(key.name)) return false;
    std::memcpy(key.name, name.data(), name.size());
    return true;
  }

  [[nodiscard]] std::uint64_t check_of(const sonde_dns_key& key, const sonde_dns_value& value) const {
    Check check;
    check.add(&view_, sizeof(view_));
    check.add(key.name, ::strnlen(key.name, sizeof(key.name)) + 1);
    check.add(&value.expires_wall_ns, sizeof(value.expires_wall_ns));
    check.add(&value.count, sizeof(value) - offsetof(sonde_dns_value, count));
    return check.value();
  }

  Fd map_;
  std::size_t capacity_;
  std::uint64_t view_;
};

Result<Fd> make_map(std::uint32_t entries) {
  auto object = kernel::Object::open({sonde_dns_cache_bpf_object, sonde_dns_cache_bpf_object_end}, "sonde_dns_cache");
  if (!object) return std::unexpected(object.error());
  if (auto set = object->set_max_entries(map_name, entries); !set) return std::unexpected(set.error());
  if (auto loaded = object->load(); !loaded) return std::unexpected(loaded.error());
  const auto map = object->map_fd(map_name);
  if (!map) return std::unexpected(map.error());
  Fd copy(::fcntl(*map, F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno("cannot keep the map DNS_CACHE");
  return copy;
}

bool is_such(const Fd& map, std::uint32_t entries) {
  const auto info = kernel::map_info(map.get());
  return info && info->type == BPF_MAP_TYPE_LRU_HASH && info->key_size == sizeof(sonde_dns_key) &&
         info->value_size == sizeof(sonde_dns_value) && info->max_entries == entries;
}

Result<std::string> pin_path(const std::string& folder) {
  auto bpffs = kernel::find_bpffs();
  if (!bpffs) return bpffs;
  const std::string directory = *bpffs + "/" + folder;
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("cannot make " + directory);
  return directory + "/" + map_name;
}

// The pinned one if it is of the same kind and size; else `map` takes its place under the pin. Two proxies that start
// at the same time may both find none: the second finds the first one's then.
Result<Fd> share_pin(Fd map, std::uint32_t entries, const std::string& folder) {
  const auto path = pin_path(folder);
  if (!path) return std::unexpected(path.error());
  for (int attempt = 0;; ++attempt) {
    auto pinned = kernel::open_pin(*path);
    if (pinned && *pinned && is_such(*pinned, entries)) return pinned;
    if (auto removed = kernel::remove_pin(*path); !removed) return std::unexpected(removed.error());
    const auto done = kernel::pin(map.get(), *path);
    if (done) return map;
    if (done.error().code != EEXIST || attempt == 8) return std::unexpected(done.error());
  }
}

std::unique_ptr<DnsCache> in_memory(const ProxyConfig& config, std::string why, std::string& note) {
  note = "the DNS cache is in memory: " + std::move(why);
  return std::make_unique<MemoryCache>(config.ebpf.dns_cache_entries);
}

}  // namespace

std::unique_ptr<DnsCache> DnsCache::open(const ProxyConfig& config, std::string& note, const std::string& folder) {
  note.clear();
  if (!config.ebpf.enabled || !config.ebpf.dns_cache) {
    return std::make_unique<MemoryCache>(config.ebpf.dns_cache_entries);
  }
  auto map = make_map(config.ebpf.dns_cache_entries);
  if (!map) return in_memory(config, map.error().text(), note);
  if (config.ebpf.dns_cache_pinned) {
    auto shared = share_pin(Fd(::fcntl(map->get(), F_DUPFD_CLOEXEC, 0)), config.ebpf.dns_cache_entries, folder);
    if (shared) {
      map = std::move(shared);
    } else {
      note = "DNS_CACHE is not kept over restarts: " + shared.error().text();
    }
  }
  const auto info = kernel::map_info(map->get());
  if (!info) return in_memory(config, info.error().text(), note);
  return std::make_unique<KernelCache>(std::move(*map), info->max_entries, view_of(config));
}

}  // namespace sonde::proxy
