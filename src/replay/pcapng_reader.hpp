// SPDX-License-Identifier: Apache-2.0
// The pcapng format (draft-ietf-opsawg-pcapng).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "replay/byte_order.hpp"
#include "replay/interfaces.hpp"
#include "replay/record.hpp"
#include "replay/timestamp.hpp"

namespace sonde::replay {

class PcapngReader {
 public:
  /// Type of the Section Header Block, the same in both byte orders.
  static constexpr std::uint32_t section_header = 0x0a0d0d0a;

  explicit PcapngReader(Interfaces& interfaces) : interfaces_(&interfaces) {}

  /// One block. Only blocks of packets and interfaces are looked at; others are skipped whatever their size.
  [[nodiscard]] Result<Step> next(InputBuffer& input, Record& record);

 private:
  struct SectionInterface {
    std::uint32_t ifindex = 0;  // 0: unsupported link type, or one that numbers interfaces itself
    std::uint32_t link_number = 0;
    std::uint32_t snaplen = 0;  // 0: no limit
    TimeUnit time;
  };
  using Body = std::span<std::uint8_t>;
  struct BlockType;
  static const BlockType* find_block(std::uint32_t type);

  Result<Step> read_block(InputBuffer& input, const BlockType& block, std::uint32_t size, Record& record);
  Result<Step> skip_block(InputBuffer& input, std::uint32_t size);
  Result<Step> end_skipped(InputBuffer& input);
  Result<void> set_byte_order(InputBuffer& input);

  Result<Step> section(InputBuffer& input, Body body, Record& record);
  Result<Step> interface(InputBuffer& input, Body body, Record& record);
  Result<Step> enhanced_packet(InputBuffer& input, Body body, Record& record);
  Result<Step> simple_packet(InputBuffer& input, Body body, Record& record);
  Result<Step> obsolete_packet(InputBuffer& input, Body body, Record& record);

  Result<void> read_interface_options(InputBuffer& input, Body options, SectionInterface& interface, std::string& name);
  Result<Step> timed_packet(InputBuffer& input, Body body, std::uint32_t interface, Record& record);
  Result<void> set_packet(InputBuffer& input, std::uint32_t interface, Body data, std::uint32_t wire_size,
                          Record& record);

  Interfaces* interfaces_;
  ByteOrder order_;
  std::vector<SectionInterface> section_;  // of the current section, by their number in it
  std::uint32_t skipped_size_ = 0;         // size of the block being skipped, 0: none
};

}  // namespace sonde::replay
