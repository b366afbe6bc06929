// SPDX-License-Identifier: Apache-2.0
// Input: a pcap or pcapng file.
#include <cstddef>
#include <cstdint>

#include "model/parse.hpp"
#include "replay/capture_reader.hpp"

namespace {

void check(bool holds) {
  if (!holds) __builtin_trap();
}

void check_packet(const sonde::user_space::RawPacket& packet, const sonde::InterfaceTable& interfaces) {
  check(packet.wire_size >= packet.bytes.size());
  check(packet.bytes.size() <= sonde::replay::max_packet_size);
  check(interfaces.at(packet.ifindex).link_type == packet.link);
  check(packet.direction == SONDE_DIRECTION_IN || packet.direction == SONDE_DIRECTION_OUT);
  sonde_packet_event event{};
  sonde::parse_packet(packet.bytes, packet.wire_size, packet.link, {}, event);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sonde::replay::Step;
  sonde::replay::CaptureReader reader(sonde::replay::InputBuffer(std::vector(data, data + size)));
  sonde::user_space::RawPacket packet;
  for (;;) {
    const auto offset = reader.input().offset();
    const auto step = reader.next(packet);
    if (!step) {
      check(!step.error().message.empty());
      return 0;
    }
    if (*step == Step::more) break;
    if (*step == Step::packet) check_packet(packet, reader.interfaces());
    check(reader.input().offset() > offset || reader.interfaces().empty());  // or it would never end
  }
  (void)reader.end();
  return 0;
}
