// SPDX-License-Identifier: Apache-2.0
// A configuration while it is read, and the readers of its parts. Each takes the value of its key.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>

#include "actuators/proxy/config/value.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

struct Draft : ProxyConfig {
  /// Where something is said that may be said once.
  struct Origin {
    std::string path;
    std::uint32_t line = 0;
    std::size_t route = 0;
  };
  std::unordered_map<std::string, Origin> patterns;
  std::unordered_map<std::string, Origin> route_names;
  std::unordered_map<std::string, Origin> addresses;  ///< that are listened on
  std::unordered_map<std::string, Origin> files;      ///< that are written
};

/// Notes that `what` is said here; an error if it was said before.
Result<void> say_once(const Value& value, const std::string& what, std::unordered_map<std::string, Draft::Origin>& said,
                      const std::string& expected);

Result<void> read_forwarding(const Value& value, const ProxyEbpf& ebpf, ProxyForwarding& into);
/// The path of a file that is written; null or "": none.
Result<void> read_output_file(const Value& value, Draft& draft, std::string& into);

// config.cpp
Result<Draft> read_draft(const Value& file);
Result<std::string> read_config_text(const std::string& path);

// sections.cpp
Result<void> read_log(const Value& value, Draft& draft);
Result<void> read_ebpf(const Value& value, Draft& draft);
Result<void> read_wire(const Value& value, Draft& draft);
Result<void> read_ip_traffic(const Value& value, Draft& draft);
Result<void> read_domain_ips(const Value& value, Draft& draft);
Result<void> read_socks5(const Value& value, Draft& draft);
Result<void> read_timeouts(const Value& value, Draft& draft);
Result<void> read_limits(const Value& value, Draft& draft);
Result<void> read_dns(const Value& value, Draft& draft);

// routes.cpp; after what they use: ebpf, socks5
Result<void> read_whitelist(const Value& value, Draft& draft);
Result<void> read_socks5_whitelist(const Value& value, Draft& draft);
Result<void> read_routes(const Value& value, Draft& draft);

}  // namespace sonde::proxy
