// SPDX-License-Identifier: Apache-2.0
#include "replay/pcap_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "replay/link_types.hpp"

namespace sonde::replay {
namespace {

constexpr std::uint32_t magic_microseconds = 0xa1b2c3d4;
constexpr std::uint32_t magic_nanoseconds = 0xa1b23c4d;
constexpr std::uint32_t link_mask = 0x03ffffff;  // above it: length of the frame check sequence
constexpr std::size_t record_header_size = 16;
constexpr std::int64_t second_ns = 1'000'000'000;

bool is_native(std::uint32_t magic) { return magic == magic_microseconds || magic == magic_nanoseconds; }

}  // namespace

bool PcapReader::is_magic(std::uint32_t magic) { return is_native(magic) || is_native(std::byteswap(magic)); }

Result<PcapReader> PcapReader::make(InputBuffer& input, Interfaces& interfaces) {
  const std::uint8_t* header = input.bytes().data();
  PcapReader reader;
  reader.order_.swapped = !is_native(ByteOrder{}.u32(header));
  reader.fraction_ns_ = reader.order_.u32(header) == magic_nanoseconds ? 1 : 1000;
  const auto major = reader.order_.u16(header + 4);
  const auto minor = reader.order_.u16(header + 6);
  if (major != 2 || minor < 3) return damage(input, fmt::format("pcap version {}.{} instead of 2.4", major, minor));
  reader.link_number_ = reader.order_.u32(header + 20) & link_mask;
  const auto* link = find_link(reader.link_number_);
  if (link == nullptr) return damage(input, "link type " + link_text(reader.link_number_) + " is not supported");
  if (reader.link_number_ != linktype_linux_sll2) {
    auto ifindex = interfaces.add("unknown", link->link);
    if (!ifindex) return std::unexpected(ifindex.error());
    reader.ifindex_ = *ifindex;
  }
  input.consume(header_size);
  return reader;
}

Result<Step> PcapReader::next(InputBuffer& input, Record& record) {
  record.begun = !input.bytes().empty();
  if (!input.require(record_header_size, "packet record", true)) return Step::more;
  const std::uint8_t* header = input.bytes().data();
  const std::uint32_t captured = order_.u32(header + 8);
  if (captured > max_packet_size) {
    return damage(
        input, fmt::format("packet record of {} captured bytes, at most {} are possible", captured, max_packet_size));
  }
  if (!input.require(record_header_size + captured, "packet record")) return Step::more;
  header = input.bytes().data();
  record.bytes = input.bytes().subspan(record_header_size, captured);
  record.wire_size = std::max(captured, order_.u32(header + 12));
  record.wall_ns = order_.u32(header) * second_ns + std::int64_t{order_.u32(header + 4)} * fraction_ns_;
  record.ifindex = ifindex_;
  record.link_number = link_number_;
  record.direction = SONDE_DIRECTION_IN;
  input.consume(record_header_size + captured);
  return Step::packet;
}

}  // namespace sonde::replay
