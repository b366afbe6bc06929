// SPDX-License-Identifier: Apache-2.0
// Random packets, mostly well formed, whose addresses and ports come from small sets that filters name too.
#pragma once
#include <array>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

namespace sonde::test {

using Random = std::mt19937_64;
using Bytes = std::vector<std::uint8_t>;

inline constexpr std::array<std::uint16_t, 6> known_ports = {53, 80, 443, 8000, 8080, 40000};
inline constexpr std::array<std::string_view, 4> known_ipv4 = {"10.0.0.1", "10.0.7.9", "192.168.1.2", "8.8.8.8"};
inline constexpr std::array<std::string_view, 4> known_ipv6 = {"fd00::1", "fd00::2:3", "2001:db8::7", "ff02::1"};

/// 0 <= value < limit.
[[nodiscard]] std::uint64_t below(Random& random, std::uint64_t limit);
[[nodiscard]] inline bool one_in(Random& random, std::uint64_t n) { return below(random, n) == 0; }

template <class T, std::size_t N>
[[nodiscard]] const T& pick(Random& random, const std::array<T, N>& choices) {
  return choices[below(random, N)];
}

/// Ethernet, none to three VLAN tags, then IPv4 (options, fragments), IPv6 (extension headers), ARP, MPLS, PPPoE or
/// garbage with TCP, UDP, ICMP, ICMPv6, SCTP or garbage inside; some cut short, some with a byte changed. At least
/// 15 bytes, the smallest that BPF_PROG_TEST_RUN takes for tc on all kernels.
[[nodiscard]] Bytes random_packet(Random& random);

}  // namespace sonde::test
