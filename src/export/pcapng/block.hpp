// SPDX-License-Identifier: Apache-2.0
// Blocks of pcapng (draft-ietf-opsawg-pcapng) in native byte order.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sonde/packet.hpp"

namespace sonde::exporter {

/// Appends an option with its padding; of a longer value than the format can hold (64 KiB) the beginning.
void append_option(std::string& out, std::uint16_t code, std::string_view value);

/// Builds a small block with options: header, statistics.
class BlockBuilder {
 public:
  explicit BlockBuilder(std::uint32_t type);

  void put16(std::uint16_t value) { put(&value, sizeof(value)); }
  void put32(std::uint32_t value) { put(&value, sizeof(value)); }
  void put64(std::uint64_t value) { put(&value, sizeof(value)); }

  void option(std::uint16_t code, std::string_view value);
  void option64(std::uint16_t code, std::uint64_t value);
  /// A time as pcapng writes it: the upper 32 bits first, whatever the byte order.
  void option_time(std::uint16_t code, std::int64_t wall_ns);

  /// Ends the options and the block.
  [[nodiscard]] std::string finish();

 private:
  void put(const void* bytes, std::size_t size) { block_.append(static_cast<const char*>(bytes), size); }

  std::string block_;
  bool has_options_ = false;
};

enum BlockType : std::uint32_t {
  block_section_header = 0x0a0d0d0a,
  block_interface_description = 1,
  block_interface_statistics = 5,
  block_enhanced_packet = 6,
};

/// Bytes of an Enhanced Packet Block with `captured` bytes of data and `options` bytes of further options.
[[nodiscard]] constexpr std::size_t packet_block_size(std::size_t captured, std::size_t options = 0) {
  return 44 + (captured + 3) / 4 * 4 + options;
}

/// Writes the block of a packet and returns its end. `interface_id`: place of its Interface Description Block;
/// `options`: further ones, as append_option() makes them.
char* append_packet_block(char* out, const Packet& packet, std::uint32_t interface_id, std::string_view options = {});

}  // namespace sonde::exporter
