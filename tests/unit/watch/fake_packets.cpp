// SPDX-License-Identifier: Apache-2.0
#include "fake_packets.hpp"

#include <algorithm>
#include <array>

#include "filter/filter.hpp"
#include "sensors/user_space/finish_packet.hpp"

namespace sonde::test {
namespace {

class FakePackets final : public pipeline::Source {
 public:
  FakePackets(std::vector<TimedFrame> frames, std::size_t batch)
      : frames_(std::move(frames)), most_(batch), filter_(*filter::compile({})) {}

  Result<void> read(pipeline::PacketBatch& batch, std::chrono::milliseconds) override {
    batch.size = 0;
    while (batch.size < most_ && next_ < frames_.size()) {
      const auto& frame = frames_[next_++];
      const user_space::RawPacket raw{.bytes = frame.frame,
                                      .wire_size = static_cast<std::uint32_t>(frame.frame.size()),
                                      .wall_ns = frame.wall_ns,
                                      .ifindex = frame.ifindex,
                                      .link = LinkType::ethernet,
                                      .direction = frame.direction};
      if (user_space::finish_packet(raw, filter_, 65535, events_[batch.size], batch.packets[batch.size])) ++batch.size;
    }
    return {};
  }
  Result<void> stop() override {
    frames_.resize(next_);
    return {};
  }
  [[nodiscard]] bool finished() const override { return next_ == frames_.size(); }
  [[nodiscard]] std::vector<LossStage> loss() const override { return {{"file", next_, next_, 0, 0, ""}}; }
  [[nodiscard]] const InterfaceTable& interfaces() const override { return interfaces_; }
  [[nodiscard]] std::vector<std::string> notices() const override { return {}; }

 private:
  std::vector<TimedFrame> frames_;
  std::size_t most_;
  std::size_t next_ = 0;
  filter::CompiledFilter filter_;
  InterfaceTable interfaces_{{1, {"eth0", LinkType::ethernet}}, {2, {"eth1", LinkType::ethernet}}};
  std::array<sonde_packet_event, pipeline::PacketBatch::capacity> events_{};
};

}  // namespace

std::unique_ptr<pipeline::Source> make_fake_packets(std::vector<TimedFrame> frames, std::size_t batch) {
  return std::make_unique<FakePackets>(std::move(frames), std::min(batch, pipeline::PacketBatch::capacity));
}

}  // namespace sonde::test
