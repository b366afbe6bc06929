// SPDX-License-Identifier: Apache-2.0
#include "harness/collect.hpp"

#include <memory>

namespace sonde::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds one_read{100};

// False: the source failed.
bool read_once(pipeline::Source& source, Collected& collected) {
  const auto batch = std::make_unique<pipeline::PacketBatch>();
  auto done = source.read(*batch, one_read);
  if (!done) collected.error = done.error();
  for (const auto& packet : batch->view()) {
    const auto bytes = packet.bytes();
    collected.packets.push_back({*packet.event, {bytes.begin(), bytes.end()}, packet.wall_ns});
  }
  return done.has_value();
}

}  // namespace

Collected read_all(pipeline::Source& source) {
  Collected collected;
  while (!source.finished() && read_once(source, collected)) {
  }
  return collected;
}

Collected read_some(pipeline::Source& source, std::size_t count, std::chrono::milliseconds patience) {
  Collected collected;
  const auto deadline = Clock::now() + patience;
  while (collected.packets.size() < count && Clock::now() < deadline && read_once(source, collected)) {
  }
  return collected;
}

Collected stop_and_drain(pipeline::Source& source) {
  Collected collected;
  if (auto stopped = source.stop(); !stopped) {
    collected.error = stopped.error();
    return collected;
  }
  return read_all(source);
}

bool balanced(const pipeline::Source& source) { return LossReport{source.loss()}.balanced(); }

}  // namespace sonde::test
