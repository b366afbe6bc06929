// SPDX-License-Identifier: Apache-2.0
// The frames that the benchmarks send: UDP from port 1024 to port 9 (discard), addresses of RFC 2544 and RFC 5180.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sonde::bench {

using Mac = std::array<std::uint8_t, 6>;

/// `size` bytes from the Ethernet header on, at least 42.
[[nodiscard]] std::vector<std::uint8_t> udp4_frame(const Mac& destination, std::size_t size);
/// At least 62 bytes.
[[nodiscard]] std::vector<std::uint8_t> udp6_frame(const Mac& destination, std::size_t size);

}  // namespace sonde::bench
