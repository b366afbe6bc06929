// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>

#include "replay/input_buffer.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::replay {

/// Captured bytes of one packet at most; libpcap's limit (MAXIMUM_SNAPLEN). More is damage, not a packet.
inline constexpr std::uint32_t max_packet_size = 262'144;

/// One packet record of a file.
struct Record {
  std::span<std::uint8_t> bytes;  ///< in the input buffer
  std::uint32_t wire_size = 0;    ///< at least bytes.size(), also where the file says less
  std::int64_t wall_ns = 0;
  std::uint32_t ifindex = 0;      ///< in the interface table
  std::uint32_t link_number = 0;  ///< LINKTYPE_ of the bytes
  std::uint8_t direction = SONDE_DIRECTION_IN;
  bool begun = false;  ///< a packet's record starts here, even if it turns out to be damaged
};

enum class Step {
  packet,   ///< the record is filled
  skipped,  ///< a block without a packet
  more,     ///< the input's need() must be met first
};

/// "byte 1234: what", the offset being where the record starts.
[[nodiscard]] std::unexpected<Error> damage(const InputBuffer& input, const std::string& what);

}  // namespace sonde::replay
