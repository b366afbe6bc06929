// SPDX-License-Identifier: Apache-2.0
// A packet as the guard sees it, for the model: what the programs read from a frame, said once more and plainly.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "sonde/guard.hpp"

namespace sonde::guard {

enum class GuardLink : std::uint8_t { ethernet, raw_ip };

struct GuardPacket {
  GuardDirection direction = GuardDirection::in;  ///< in or out
  std::uint32_t size = 0;                         ///< bytes, from the link header on
  int family = 0;                                 ///< 4, 6; 0: no IP, or its addresses cannot be read
  std::array<std::uint8_t, 16> source{};          ///< network byte order; IPv4 as ::ffff:a.b.c.d
  std::array<std::uint8_t, 16> destination{};
  std::optional<std::uint8_t> protocol;  ///< behind the extension headers; of a later fragment as far as it says
  std::optional<std::uint16_t> source_port;
  std::optional<std::uint16_t> destination_port;  ///< both or none
  std::optional<std::uint8_t> icmp_type;
  bool later_fragment = false;  ///< offset above 0
  bool malformed = false;       ///< cut short or contradictory: the kernel will not accept it
  /// What it carries cannot be read, but the kernel might put it together: the first fragment without its transport
  /// header, a chain of more than SONDE_GUARD_MAX_EXTENSIONS extension headers. Matches default_drop rules whatever
  /// their protocol and ports.
  bool evasive = false;
  bool pure_syn = false;     ///< TCP, SYN without ACK: never belongs to an established connection
  std::string interface;     ///< not from the frame
  bool established = false;  ///< not from the frame: the caller says whether a socket of this host is connected so
};

[[nodiscard]] GuardPacket parse_guard_packet(std::span<const std::uint8_t> frame, GuardDirection direction,
                                             GuardLink link = GuardLink::ethernet);

}  // namespace sonde::guard
