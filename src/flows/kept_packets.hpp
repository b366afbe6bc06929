// SPDX-License-Identifier: Apache-2.0
// Packets that wait for the next collection.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pipeline/flows.hpp"
#include "sonde/packet.hpp"

namespace sonde::flows {

/// Copies of packets, in order, up to 8 MiB; what is beyond is counted.
class KeptPackets {
 public:
  void keep(const Packet& packet);
  /// Shows all of them and forgets them.
  void show(pipeline::FlowVisitor& visitor);
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Kept {
    sonde_packet_event event;
    std::int64_t wall_ns;
    std::size_t offset;  ///< of its bytes
  };
  static constexpr std::size_t most_bytes = 8 * 1024 * 1024;

  std::vector<Kept> packets_;
  std::vector<std::uint8_t> bytes_;
  std::uint64_t dropped_ = 0;
};

}  // namespace sonde::flows
