// SPDX-License-Identifier: Apache-2.0
#include "sonde/endpoint.hpp"

#include <arpa/inet.h>

#include <array>

namespace sonde {

std::string Endpoint::address_text() const {
  char text[INET6_ADDRSTRLEN] = {};
  const bool ipv4 = is_ipv4();
  ::inet_ntop(ipv4 ? AF_INET : AF_INET6, address.data() + (ipv4 ? 12 : 0), text, sizeof(text));
  return text;
}

std::string Endpoint::text() const {
  const auto number = std::to_string(port);
  return is_ipv4() ? address_text() + ":" + number : "[" + address_text() + "]:" + number;
}

const char* tcp_state_name(std::uint8_t state) {
  // include/net/tcp_states.h from 1 on; the last two are the kernel's own names for what RFC 9293 calls SYN-RECEIVED
  // before there is a socket, and for a socket that is bound but neither listens nor is connected (Linux 6.7).
  static constexpr std::array names{"",           "ESTABLISHED", "SYN-SENT",     "SYN-RECEIVED", "FIN-WAIT-1",
                                    "FIN-WAIT-2", "TIME-WAIT",   "CLOSED",       "CLOSE-WAIT",   "LAST-ACK",
                                    "LISTEN",     "CLOSING",     "SYN-RECEIVED", "BOUND"};
  return state < names.size() ? names[state] : "";
}

}  // namespace sonde
