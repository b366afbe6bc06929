// SPDX-License-Identifier: Apache-2.0
// Packets from the inside out: ethernet(0x0800, ipv4({.protocol = 6}, tcp({.flags = 2}))). Lengths and checksums are
// right unless a member says otherwise.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace sonde::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint16_t ether_ipv4 = 0x0800;
inline constexpr std::uint16_t ether_ipv6 = 0x86dd;
inline constexpr std::uint16_t ether_arp = 0x0806;

/// One VLAN tag as on the wire.
struct Tag {
  std::uint16_t tpid = 0x8100;
  std::uint16_t tci = 0;
};

/// From 02:00:00:00:00:01 to 02:00:00:00:00:02, or to everybody.
struct Ethernet {
  std::uint16_t type = ether_ipv4;
  std::vector<Tag> tags = {};
  bool broadcast = false;
  std::size_t padded_to = 0;  ///< zeros at the end up to this size
};

struct Ipv4 {
  std::uint8_t protocol = 6;
  std::array<std::uint8_t, 4> source = {10, 0, 0, 1};
  std::array<std::uint8_t, 4> destination = {10, 0, 0, 2};
  Bytes options = {};               ///< a multiple of four bytes
  std::uint16_t fragment = 0x4000;  ///< flags and offset, as in the header
  std::uint8_t ttl = 64;
  std::optional<std::uint8_t> first_byte = {};  ///< version and header length
  std::optional<std::uint16_t> total_length = {};
};

struct Ipv6 {
  std::uint8_t next = 6;
  std::array<std::uint8_t, 16> source = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  std::array<std::uint8_t, 16> destination = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  std::uint8_t hop_limit = 64;
  std::optional<std::uint8_t> first_byte = {};
  std::optional<std::uint16_t> payload_length = {};
};

struct Tcp {
  std::uint16_t source_port = 40'000;
  std::uint16_t destination_port = 443;
  std::uint32_t sequence = 0x01020304;
  std::uint32_t acknowledgment = 0x05060708;
  std::uint8_t flags = 0x18;
  std::uint16_t window = 0x1234;
  Bytes options = {};                            ///< a multiple of four bytes
  std::optional<std::uint8_t> data_offset = {};  ///< in words
};

struct Udp {
  std::uint16_t source_port = 40'000;
  std::uint16_t destination_port = 53;
  std::optional<std::uint16_t> length = {};
};

Bytes ethernet(const Ethernet& header, const Bytes& payload);
/// Fills in the transport's checksum where `protocol` is TCP, UDP or ICMP and this is no fragment.
Bytes ipv4(const Ipv4& header, const Bytes& payload);
/// Fills in the transport's checksum where `next` is TCP, UDP or ICMPv6.
Bytes ipv6(const Ipv6& header, const Bytes& payload);
Bytes tcp(const Tcp& header, const Bytes& payload = {});
Bytes udp(const Udp& header, const Bytes& payload = {});
Bytes icmp(std::uint8_t type, std::uint8_t code, const Bytes& payload = {});
/// With the CRC32c of RFC 9260.
Bytes sctp(std::uint16_t source_port, std::uint16_t destination_port, const Bytes& chunks = {});
/// Who has 10.0.0.2? Tell 10.0.0.1.
Bytes arp_request();

/// An IPv6 extension header of `size` bytes: 8 and more, a multiple of 8 (of 4 for the authentication header).
Bytes extension(std::uint8_t type, std::uint8_t next, std::size_t size, const Bytes& payload);
/// `fragment`: offset and flags as in the header.
Bytes fragment_extension(std::uint8_t next, std::uint16_t fragment, const Bytes& payload);

/// 0, 1, 2, ... of a size.
Bytes counting(std::size_t size);
Bytes operator+(const Bytes& a, const Bytes& b);
Bytes first_of(const Bytes& packet, std::size_t size);

}  // namespace sonde::test
