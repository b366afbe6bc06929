// SPDX-License-Identifier: Apache-2.0
#include "flows/kept_packets.hpp"

namespace sonde::flows {

void KeptPackets::keep(const Packet& packet) {
  const auto bytes = packet.bytes();
  if (packets_.size() * sizeof(Kept) + bytes_.size() + bytes.size() > most_bytes) {
    ++dropped_;
    return;
  }
  packets_.push_back({*packet.event, packet.wall_ns, bytes_.size()});
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void KeptPackets::show(pipeline::FlowVisitor& visitor) {
  const std::span<const std::uint8_t> bytes(bytes_);
  for (const auto& kept : packets_)
    visitor.visit(
        pipeline::FlowPacket{&kept.event, bytes.subspan(kept.offset, kept.event.captured_size), kept.wall_ns});
  packets_.clear();
  bytes_.clear();
}

}  // namespace sonde::flows
