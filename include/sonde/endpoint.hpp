// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "sonde/export.hpp"

namespace sonde {

/// An address and a port.
struct Endpoint {
  std::array<std::uint8_t, 16> address{};  ///< network byte order; IPv4 as ::ffff:a.b.c.d; zero: none
  std::uint16_t port = 0;                  ///< host byte order; 0: none

  [[nodiscard]] bool is_ipv4() const;
  /// "192.0.2.1", "2001:db8::1".
  [[nodiscard]] SONDE_EXPORT std::string address_text() const;
  /// "192.0.2.1:443", "[2001:db8::1]:443".
  [[nodiscard]] SONDE_EXPORT std::string text() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

inline bool Endpoint::is_ipv4() const {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  for (std::size_t i = 0; i < mapped.size(); ++i)
    if (address[i] != mapped[i]) return false;
  return true;
}

/// A socket as events name it.
struct Socket {
  Endpoint local;
  Endpoint remote;
  std::uint8_t protocol = 0;            ///< IPPROTO_TCP, IPPROTO_UDP ...
  std::uint8_t state = 0;               ///< TCP: TCP_ESTABLISHED = 1 ... (include/net/tcp_states.h)
  std::uint32_t network_namespace = 0;  ///< inode number, as `readlink /proc/PID/ns/net` shows it
  std::uint64_t cookie = 0;             ///< SO_COOKIE; 0: not known
};

/// "ESTABLISHED", "SYN-SENT" ... as RFC 9293 names them; "" for a number that is no state.
[[nodiscard]] SONDE_EXPORT const char* tcp_state_name(std::uint8_t state);

}  // namespace sonde
