// SPDX-License-Identifier: Apache-2.0
// The classic pcap format (draft-ietf-opsawg-pcap).
#pragma once
#include <cstdint>

#include "replay/byte_order.hpp"
#include "replay/interfaces.hpp"
#include "replay/record.hpp"

namespace sonde::replay {

class PcapReader {
 public:
  static constexpr std::size_t header_size = 24;

  /// The first four bytes are one of the magic numbers, in either byte order.
  [[nodiscard]] static bool is_magic(std::uint32_t magic);
  /// Takes the file header, of which header_size bytes must be there.
  [[nodiscard]] static Result<PcapReader> make(InputBuffer& input, Interfaces& interfaces);

  [[nodiscard]] Result<Step> next(InputBuffer& input, Record& record);

 private:
  ByteOrder order_;
  std::uint32_t fraction_ns_ = 1;  // nanoseconds in a unit of the fraction
  std::uint32_t link_number_ = 0;
  std::uint32_t ifindex_ = 0;
};

}  // namespace sonde::replay
