// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sonde/abi/packet.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/export.hpp"
#include "sonde/result.hpp"

namespace sonde {

/// In the order in which they are asked: the first class with a rule that matches decides, whatever the others say.
enum class GuardVerdict : std::uint8_t {
  never_block,   ///< passes; also keeps `default drop` away
  allow,         ///< passes
  block,         ///< dropped
  limit,         ///< passes up to the rate, by source address; dropped above it
  default_drop,  ///< dropped unless one of the above says otherwise: the default policy with its scope
};

enum class GuardDirection : std::uint8_t { in /**< received; the peer is the source */, out, both };

/// An address block. length counts from the first bit of the 16 bytes, so an IPv4 /24 has 120; 0 with `any`: every
/// address of both families.
struct GuardNetwork {
  std::array<std::uint8_t, 16> address{};  ///< network byte order, host bits zero; IPv4 as ::ffff:a.b.c.d
  std::uint8_t length = 0;

  [[nodiscard]] bool any() const { return length == 0; }
  friend auto operator<=>(const GuardNetwork&, const GuardNetwork&) = default;
};

struct GuardPorts {
  std::uint16_t first = 0;  ///< host byte order
  std::uint16_t last = 65535;

  [[nodiscard]] bool any() const { return first == 0 && last == 65535; }
  friend auto operator<=>(const GuardPorts&, const GuardPorts&) = default;
};

/// One rule. All that it names must hold. A rule with ports matches only packets whose ports are in them: no later
/// fragment, no ICMP. A rule without matches these too.
struct GuardRule {
  std::uint64_t id = 0;  ///< given when it is added, never used again
  GuardVerdict verdict = GuardVerdict::block;
  GuardNetwork network;                  ///< of the peer
  std::optional<std::uint8_t> protocol;  ///< IP protocol number
  GuardPorts source_ports;               ///< as in the packet
  GuardPorts destination_ports;          ///< as in the packet
  GuardDirection direction = GuardDirection::in;
  bool dry_run = false;              ///< counts what it would decide, and decides nothing
  std::uint64_t rate = 0;            ///< limit: per second and source address
  bool rate_in_bytes = false;        ///< bytes, else packets
  std::uint64_t burst = 0;           ///< limit: what may come at once; 0: a second's worth
  std::int64_t expires_wall_ns = 0;  ///< 0: never
  std::string comment;

  /// As the words of the command line: "block 192.0.2.0/24 --protocol tcp --dst-port 443 --ttl 600s".
  [[nodiscard]] SONDE_EXPORT std::string text() const;
};

struct GuardCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

[[nodiscard]] SONDE_EXPORT const char* guard_verdict_name(GuardVerdict verdict);
[[nodiscard]] SONDE_EXPORT Result<GuardNetwork> parse_guard_network(std::string_view word);

}  // namespace sonde
