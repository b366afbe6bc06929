// SPDX-License-Identifier: Apache-2.0
#include "export/pcapng/block.hpp"

#include <algorithm>
#include <cstring>

namespace sonde::exporter {
namespace {

constexpr std::uint16_t option_end = 0;
constexpr std::uint16_t option_packet_flags = 2;
constexpr std::uint32_t flag_inbound = 1;
constexpr std::uint32_t flag_outbound = 2;

struct PacketBlockHead {
  std::uint32_t type;
  std::uint32_t size;
  std::uint32_t interface_id;
  std::uint32_t time_high;
  std::uint32_t time_low;
  std::uint32_t captured_size;
  std::uint32_t original_size;
};
static_assert(sizeof(PacketBlockHead) == 28);

struct FlagsOption {
  std::uint16_t code;
  std::uint16_t size;
  std::uint32_t flags;
};
static_assert(sizeof(FlagsOption) == 8);

struct PacketBlockTail {
  std::uint32_t end_of_options;
  std::uint32_t size;
};

template <class T>
char* put(char* out, const T& value) {
  std::memcpy(out, &value, sizeof(value));
  return out + sizeof(value);
}

}  // namespace

void append_option(std::string& out, std::uint16_t code, std::string_view value) {
  constexpr std::size_t max_value = 0xffff;
  value = value.substr(0, max_value);
  const std::uint16_t head[2] = {code, static_cast<std::uint16_t>(value.size())};
  out.append(reinterpret_cast<const char*>(head), sizeof(head));
  out.append(value);
  out.append((4 - value.size() % 4) % 4, '\0');
}

BlockBuilder::BlockBuilder(std::uint32_t type) {
  put32(type);
  put32(0);  // size, known in finish()
}

void BlockBuilder::option(std::uint16_t code, std::string_view value) {
  append_option(block_, code, value);
  has_options_ = true;
}

void BlockBuilder::option64(std::uint16_t code, std::uint64_t value) {
  option(code, {reinterpret_cast<const char*>(&value), sizeof(value)});
}

void BlockBuilder::option_time(std::uint16_t code, std::int64_t wall_ns) {
  const auto time = static_cast<std::uint64_t>(wall_ns);
  const std::uint32_t words[2] = {static_cast<std::uint32_t>(time >> 32), static_cast<std::uint32_t>(time)};
  option(code, {reinterpret_cast<const char*>(words), sizeof(words)});
}

std::string BlockBuilder::finish() {
  if (has_options_) put32(option_end);
  const auto size = static_cast<std::uint32_t>(block_.size() + 4);
  put32(size);
  std::memcpy(block_.data() + 4, &size, sizeof(size));
  return std::move(block_);
}

char* append_packet_block(char* out, const Packet& packet, std::uint32_t interface_id, std::string_view options) {
  const sonde_packet_event& event = *packet.event;
  const std::uint32_t captured = event.captured_size;
  const auto size = static_cast<std::uint32_t>(packet_block_size(captured, options.size()));
  const auto time = static_cast<std::uint64_t>(packet.wall_ns);
  const PacketBlockHead head{.type = block_enhanced_packet,
                             .size = size,
                             .interface_id = interface_id,
                             .time_high = static_cast<std::uint32_t>(time >> 32),
                             .time_low = static_cast<std::uint32_t>(time),
                             .captured_size = captured,
                             .original_size = std::max(event.packet_size, captured)};
  const FlagsOption flags{.code = option_packet_flags,
                          .size = 4,
                          .flags = event.direction == SONDE_DIRECTION_OUT ? flag_outbound : flag_inbound};
  out = put(out, head);
  char* const data_end = out + (captured + 3) / 4 * 4;
  std::memset(data_end - 4, 0, captured == 0 ? 0 : 4);  // padding, before the data covers the rest of the last word
  if (captured != 0) std::memcpy(out, packet.data, captured);
  out = put(data_end, flags);
  if (!options.empty()) out = std::ranges::copy(options, out).out;
  return put(out, PacketBlockTail{.end_of_options = 0, .size = size});
}

}  // namespace sonde::exporter
