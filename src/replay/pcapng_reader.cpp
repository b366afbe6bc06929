// SPDX-License-Identifier: Apache-2.0
#include "replay/pcapng_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "replay/link_types.hpp"

namespace sonde::replay {
namespace {

constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::uint32_t max_block_size = 1 << 24;  // of blocks that are read into memory; a packet plus options
constexpr std::uint32_t frame_size = 12;           // type, length, and the length again at the end
constexpr std::size_t max_section_interfaces = 65'536;

constexpr std::uint16_t option_end = 0;
constexpr std::uint16_t if_name = 2;
constexpr std::uint16_t if_tsresol = 9;
constexpr std::uint16_t if_tsoffset = 14;
constexpr std::uint16_t epb_flags = 2;  // pack_flags of the obsolete block has the same number

constexpr std::uint32_t padded(std::uint32_t size) { return (size + 3) & ~3U; }

struct Option {
  std::uint16_t code = option_end;
  std::span<const std::uint8_t> value;
};

// Takes the first option off `options`. The end mark, no option at all and one that does not fit end the list.
Option take_option(std::span<std::uint8_t>& options, const ByteOrder& order) {
  if (options.size() < 4) return {};
  const auto code = order.u16(options.data());
  const auto size = order.u16(options.data() + 2);
  if (code == option_end || padded(size) > options.size() - 4) return {};
  const Option option{code, options.subspan(4, size)};
  options = options.subspan(4 + padded(size));
  return option;
}

std::uint8_t direction(std::span<std::uint8_t> options, const ByteOrder& order) {
  constexpr std::uint32_t mask = 3;
  constexpr std::uint32_t outbound = 2;
  for (auto option = take_option(options, order); option.code != option_end; option = take_option(options, order)) {
    if (option.code != epb_flags || option.value.size() != 4) continue;
    return (order.u32(option.value.data()) & mask) == outbound ? SONDE_DIRECTION_OUT : SONDE_DIRECTION_IN;
  }
  return SONDE_DIRECTION_IN;
}

}  // namespace

struct PcapngReader::BlockType {
  std::uint32_t type;
  std::uint32_t min_size;  // without options
  const char* name;
  bool packet;
  Result<Step> (PcapngReader::*read)(InputBuffer&, Body, Record&);
};

const PcapngReader::BlockType* PcapngReader::find_block(std::uint32_t type) {
  static constexpr std::array types = {
      BlockType{6, 32, "Enhanced Packet Block", true, &PcapngReader::enhanced_packet},
      BlockType{3, 16, "Simple Packet Block", true, &PcapngReader::simple_packet},
      BlockType{2, 32, "Packet Block", true, &PcapngReader::obsolete_packet},
      BlockType{1, 20, "Interface Description Block", false, &PcapngReader::interface},
      BlockType{section_header, 28, "Section Header Block", false, &PcapngReader::section},
  };
  const auto* found = std::ranges::find(types, type, &BlockType::type);
  return found == types.end() ? nullptr : found;
}

Result<Step> PcapngReader::next(InputBuffer& input, Record& record) {
  record.begun = false;
  if (skipped_size_ != 0) return end_skipped(input);
  if (!input.require(frame_size, "block", true)) return Step::more;
  if (ByteOrder{}.u32(input.bytes().data()) == section_header) {
    if (auto known = set_byte_order(input); !known) return std::unexpected(known.error());
  }
  const std::uint32_t type = order_.u32(input.bytes().data());
  const std::uint32_t size = order_.u32(input.bytes().data() + 4);
  const BlockType* block = find_block(type);
  record.begun = block != nullptr && block->packet;
  if (size < frame_size || size % 4 != 0) {
    return damage(input, fmt::format("block of type {:#x} has the impossible length {}", type, size));
  }
  return block == nullptr ? skip_block(input, size) : read_block(input, *block, size, record);
}

Result<void> PcapngReader::set_byte_order(InputBuffer& input) {
  const std::uint32_t magic = ByteOrder{}.u32(input.bytes().data() + 8);
  if (magic != byte_order_magic && std::byteswap(magic) != byte_order_magic) {
    return damage(input, fmt::format("section header with the byte-order magic {:#x}", magic));
  }
  order_.swapped = magic != byte_order_magic;
  return {};
}

Result<Step> PcapngReader::read_block(InputBuffer& input, const BlockType& block, std::uint32_t size, Record& record) {
  if (size < block.min_size || size > max_block_size) {
    return damage(input, fmt::format("{} has the impossible length {}", block.name, size));
  }
  if (!input.require(size, block.name)) return Step::more;
  const auto bytes = input.bytes().first(size);
  const std::uint32_t again = order_.u32(&bytes[size - 4]);
  if (again != size) {
    return damage(input, fmt::format("{} starts with length {} and ends with {}", block.name, size, again));
  }
  auto step = (this->*block.read)(input, bytes.subspan(8, size - frame_size), record);
  if (step) input.consume(size);
  return step;
}

Result<Step> PcapngReader::skip_block(InputBuffer& input, std::uint32_t size) {
  skipped_size_ = size;
  input.skip(size - 4);
  return Step::skipped;
}

Result<Step> PcapngReader::end_skipped(InputBuffer& input) {
  if (!input.require(4, "skipped block")) return Step::more;
  const std::uint32_t again = order_.u32(input.bytes().data());
  if (again != skipped_size_) {
    return damage(input, fmt::format("block starts with length {} and ends with {}", skipped_size_, again));
  }
  skipped_size_ = 0;
  input.consume(4);
  return Step::skipped;
}

Result<Step> PcapngReader::section(InputBuffer& input, Body body, Record&) {
  const auto major = order_.u16(&body[4]);
  if (major != 1) return damage(input, fmt::format("pcapng version {}.{} instead of 1.0", major, order_.u16(&body[6])));
  section_.clear();
  return Step::skipped;
}

Result<Step> PcapngReader::interface(InputBuffer& input, Body body, Record&) {
  if (section_.size() >= max_section_interfaces) return damage(input, "more than 65536 interfaces in a section");
  SectionInterface interface;
  interface.link_number = order_.u16(body.data());
  interface.snaplen = order_.u32(&body[4]);
  std::string name = "unknown";
  auto options = read_interface_options(input, body.subspan(8), interface, name);
  if (!options) return std::unexpected(options.error());
  const auto* link = find_link(interface.link_number);
  if (link != nullptr && interface.link_number != linktype_linux_sll2) {
    auto ifindex = interfaces_->add(name, link->link);
    if (!ifindex) return damage(input, ifindex.error().message);
    interface.ifindex = *ifindex;
  }
  section_.push_back(interface);
  return Step::skipped;
}

Result<void> PcapngReader::read_interface_options(InputBuffer& input, Body options, SectionInterface& interface,
                                                  std::string& name) {
  std::int64_t offset_seconds = 0;
  for (auto option = take_option(options, order_); option.code != option_end; option = take_option(options, order_)) {
    const auto value = option.value;
    if (option.code == if_name && !value.empty()) name.assign(value.begin(), std::ranges::find(value, 0));
    if (option.code == if_tsoffset && value.size() == 8) {
      offset_seconds = static_cast<std::int64_t>(order_.u64(value.data()));
    }
    if (option.code == if_tsresol && value.size() == 1) {
      const auto unit = TimeUnit::from_resolution(value[0]);
      if (!unit) return damage(input, fmt::format("interface with the time resolution {:#x}", value[0]));
      interface.time = *unit;
    }
  }
  interface.time.set_offset(offset_seconds);
  return {};
}

Result<Step> PcapngReader::enhanced_packet(InputBuffer& input, Body body, Record& record) {
  return timed_packet(input, body, order_.u32(body.data()), record);
}

// Interface and drop count are 16 bits each; the rest is as in its successor.
Result<Step> PcapngReader::obsolete_packet(InputBuffer& input, Body body, Record& record) {
  return timed_packet(input, body, order_.u16(body.data()), record);
}

Result<Step> PcapngReader::timed_packet(InputBuffer& input, Body body, std::uint32_t interface, Record& record) {
  constexpr std::uint32_t fixed_size = 20;
  const std::uint32_t captured = order_.u32(&body[12]);
  const auto rest = body.subspan(fixed_size);
  if (captured > rest.size() || captured > max_packet_size) {
    return damage(input, fmt::format("packet of {} captured bytes in a block with room for {}", captured, rest.size()));
  }
  auto set = set_packet(input, interface, rest.first(captured), order_.u32(&body[16]), record);
  if (!set) return std::unexpected(set.error());
  const auto timestamp = std::uint64_t{order_.u32(&body[4])} << 32 | order_.u32(&body[8]);
  record.wall_ns = section_[interface].time.wall_ns(timestamp);
  record.direction = direction(rest.subspan(std::min<std::size_t>(padded(captured), rest.size())), order_);
  return Step::packet;
}

// Has neither a captured size nor a time: the bytes are cut to the snaplen of interface 0.
Result<Step> PcapngReader::simple_packet(InputBuffer& input, Body body, Record& record) {
  const std::uint32_t wire_size = order_.u32(body.data());
  const auto room = static_cast<std::uint32_t>(body.size() - 4);
  const std::uint32_t snaplen = section_.empty() ? 0 : section_[0].snaplen;
  const std::uint32_t captured = snaplen == 0 ? wire_size : std::min(wire_size, snaplen);
  if (captured > room || captured > max_packet_size) {
    return damage(input, fmt::format("packet of {} captured bytes in a block with room for {}", captured, room));
  }
  auto set = set_packet(input, 0, body.subspan(4, captured), wire_size, record);
  if (!set) return std::unexpected(set.error());
  record.wall_ns = 0;
  record.direction = SONDE_DIRECTION_IN;
  return Step::packet;
}

Result<void> PcapngReader::set_packet(InputBuffer& input, std::uint32_t interface, Body data, std::uint32_t wire_size,
                                      Record& record) {
  if (interface >= section_.size()) {
    return damage(input, fmt::format("packet of interface {}, the section has {}", interface, section_.size()));
  }
  record.bytes = data;
  record.wire_size = std::max(wire_size, static_cast<std::uint32_t>(data.size()));
  record.ifindex = section_[interface].ifindex;
  record.link_number = section_[interface].link_number;
  return {};
}

}  // namespace sonde::replay
