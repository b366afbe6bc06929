// SPDX-License-Identifier: Apache-2.0
// Classic BPF programs: validity, and what a translator has to know about them.
#pragma once
#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::filter {

/// Loads at larger offsets can only fail: no packet is that long, and the helpers refuse such offsets.
inline constexpr std::uint32_t max_load_offset = 0x7fff0000;

/// Every instruction is known, its operand is in range (M[] index, divisor, shift below 32), every jump stays inside,
/// and no path runs off the end. Backward JA is valid: libpcap emits it for `protochain`.
[[nodiscard]] Result<void> validate_classic(std::span<const sock_filter> program);

/// Where control can go after instruction `index`; none after RET and after loads that cannot succeed.
[[nodiscard]] std::vector<std::size_t> successors(std::span<const sock_filter> program, std::size_t index);

struct ClassicFacts {
  std::vector<bool> reachable;        ///< by instruction
  std::vector<std::size_t> loops;     ///< targets of reachable backward jumps, ascending
  std::uint16_t read_before_written;  ///< M[] words, a bit each, that some path reads first
  bool reads_packet;
  bool reads_length;
};

/// `program` must be valid.
[[nodiscard]] ClassicFacts analyze_classic(std::span<const sock_filter> program);

/// Is `insn` a load from the packet?
[[nodiscard]] bool loads_packet(const sock_filter& insn);

}  // namespace sonde::filter
