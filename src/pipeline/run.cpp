// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run.hpp"

namespace sonde::pipeline {
namespace {

struct PacketFlow {
  using Source = pipeline::Source;
  using Sink = pipeline::Sink;
  using Batch = PacketBatch;
  using Summary = pipeline::Summary;

  static Result<void> write(Sink& sink, const Source& source, std::span<const Packet> packets) {
    return sink.write(packets, source.interfaces());
  }

  static void add(Summary& summary, std::span<const Packet> packets) {
    for (const auto& packet : packets) {
      const auto& event = *packet.event;
      const auto direction = event.direction == SONDE_DIRECTION_OUT ? 1U : 0U;
      auto& total = summary.totals[direction][static_cast<std::size_t>(protocol_class(event))];
      ++total.packets;
      total.bytes += event.packet_size;
    }
  }
};

}  // namespace

Outcome run(Source& source, const std::vector<std::unique_ptr<Sink>>& sinks, const Limits& limits,
            const std::atomic<bool>& stop) {
  auto outcome = Loop<PacketFlow>(source, sinks, limits, stop).run();
  return {std::move(outcome.summary), std::move(outcome.error)};
}

}  // namespace sonde::pipeline
