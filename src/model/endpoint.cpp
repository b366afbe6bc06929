// SPDX-License-Identifier: Apache-2.0
#include "sonde/endpoint.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace sonde {

namespace {

// Every line has two addresses, and inet_ntop(3) takes half a microsecond for one.
std::string ipv4_text(const std::uint8_t* bytes) {
  std::array<char, INET_ADDRSTRLEN> text;
  char* end = text.data();
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *end++ = '.';
    end = std::to_chars(end, text.data() + text.size(), bytes[i]).ptr;
  }
  return {text.data(), end};
}

}  // namespace

std::string Endpoint::address_text() const {
  if (is_ipv4()) return ipv4_text(address.data() + 12);
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET6, address.data(), text, sizeof(text));
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
