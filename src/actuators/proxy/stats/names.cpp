// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "actuators/proxy/stats/statistics.hpp"

namespace sonde::proxy {

const char* refusal_name(Refusal refusal) {
  static constexpr std::array names{"none",
                                    "client-not-allowed",
                                    "too-many-connections",
                                    "too-many-of-client",
                                    "proxy-header",
                                    "hello-timeout",
                                    "hello-too-long",
                                    "hello-incomplete",
                                    "plain-http",
                                    "not-tls",
                                    "malformed-hello",
                                    "no-server-name",
                                    "name-not-allowed",
                                    "dns-failed",
                                    "dns-timeout",
                                    "no-healthy-upstream",
                                    "connect-failed",
                                    "connect-timeout",
                                    "socks5-failed",
                                    "stopped"};
  static_assert(names.size() == static_cast<std::size_t>(Refusal::count));
  const auto index = static_cast<std::size_t>(refusal);
  return index < names.size() ? names[index] : "";
}

const char* counter_name(Counter counter) {
  static constexpr std::array names{"total_connections",
                                    "failed_connections",
                                    "bytes_received",
                                    "bytes_sent",
                                    "direct_requests",
                                    "socks5_requests",
                                    "rejected_requests",
                                    "dns_cache_hits",
                                    "dns_cache_misses",
                                    "sni_parse_errors",
                                    "socks5_errors",
                                    "connection_timeouts",
                                    "bypassed",
                                    "wired",
                                    "sockmapped",
                                    "spliced",
                                    "copied"};
  static_assert(names.size() == static_cast<std::size_t>(Counter::count));
  const auto index = static_cast<std::size_t>(counter);
  return index < names.size() ? names[index] : "";
}

}  // namespace sonde::proxy
