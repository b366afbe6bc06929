// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "sonde/proxy.hpp"

namespace sonde {

const char* proxy_forwarding_name(ProxyForwarding forwarding) {
  static constexpr std::array names{"auto", "bypass", "wire", "sockmap", "splice", "copy"};
  const auto index = static_cast<std::size_t>(forwarding);
  return index < names.size() ? names[index] : "";
}

std::string ProxyUpstream::text() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
}

}  // namespace sonde
