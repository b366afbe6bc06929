// SPDX-License-Identifier: Apache-2.0
// Names to addresses, without blocking. Answers are kept for their TTL in a cache that all workers share.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/loop/task.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/proxy.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Ports are 0.
using Addresses = std::vector<Endpoint>;

/// Names and their addresses until their TTL is over: LRU map DNS_CACHE of the kernel, so that bpftool shows it and a
/// pin (BPFFS/sonde-proxy/DNS_CACHE) keeps it over restarts; in memory where there is no eBPF. The whole name is
/// compared, so no other name's addresses are given. What a proxy of another network namespace or with other name
/// servers wrote under the same pin is not given either. Any thread.
class DnsCache {
 public:
  /// Always gives one. `note` says what is not as the configuration wants it, and why; empty: all is. `folder`: of the
  /// pin, below the BPF file system.
  [[nodiscard]] static std::unique_ptr<DnsCache> open(const ProxyConfig& config, std::string& note,
                                                      const std::string& folder = "sonde-proxy");
  virtual ~DnsCache() = default;

  struct Entry {
    Addresses addresses;  ///< empty: the name has none (negative); at most 8
    std::int64_t expires_wall_ns = 0;
  };
  /// False: not there, or expired.
  [[nodiscard]] virtual bool find(const std::string& name, Entry& entry) = 0;
  virtual void put(const std::string& name, const Entry& entry) = 0;
  [[nodiscard]] virtual std::size_t capacity() const = 0;
  [[nodiscard]] virtual bool in_kernel() const = 0;
};

struct Resolved {
  Addresses addresses{};  ///< IPv6 and IPv4 in turn (RFC 8305 section 4), IPv6 first; not empty
  bool from_cache = false;
  bool asked = false;  ///< name servers were asked; neither: an address, or /etc/hosts
};

struct ResolverSettings {
  std::string hosts = "/etc/hosts";
  std::string resolv_conf = "/etc/resolv.conf";
  std::chrono::milliseconds family_wait{50};  ///< for the other family when one has addresses (RFC 8305 3)
};

/// One a worker.
class Resolver {
 public:
  /// Loop and cache outlive it, and it outlives those who wait for it. The files are read again when they change.
  [[nodiscard]] static Result<std::unique_ptr<Resolver>> make(Loop& loop, const ProxyConfig& config, DnsCache& cache,
                                                              const ResolverSettings& settings = {});
  virtual ~Resolver() = default;
  /// Addresses are given as they are; /etc/hosts is looked at. Names are absolute: no search domains. Questions for one
  /// name at a time are asked once. An error's code is ETIMEDOUT after ProxyTimeouts::dns, else 0: "no such name", "the
  /// name has no address", what the name servers' failure was. Destroying the task while it waits is safe.
  [[nodiscard]] virtual Task<Result<Resolved>> resolve(std::string name) = 0;
};

}  // namespace sonde::proxy
