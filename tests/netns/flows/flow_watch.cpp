// SPDX-License-Identifier: Apache-2.0
#include "flow_watch.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "filter/filter.hpp"

namespace sonde::test {
namespace {

void wait_for_output(const NetworkNamespace& where, const std::string& command) {
  for (int i = 0; i < 400; ++i) {
    if (!where.run(command).empty()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  throw std::runtime_error("in vain: " + command);
}

}  // namespace

void wait_for_listener(const NetworkNamespace& where, std::uint16_t port) {
  wait_for_output(where, "ss -Htln sport = :" + std::to_string(port));
}

void wait_for_connection(const NetworkNamespace& where, std::uint16_t port) {
  wait_for_output(where, "ss -Htn state established dport = :" + std::to_string(port));
}

class FlowWatch::Visitor final : public pipeline::FlowVisitor {
 public:
  explicit Visitor(FlowWatch& watch) : watch_(watch) {}

  void visit(const pipeline::FlowSample& sample) override {
    auto& flow = watch_.seen_.by_id[sample.id];
    const std::size_t opener = (sample.flow->flags & SONDE_FLOW_OPENER_1) != 0 ? 1 : 0;
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& delta = sample.delta[i == 0 ? opener : 1 - opener];
      flow.deltas[i].packets += delta.packets;
      flow.deltas[i].bytes += delta.bytes;
    }
    if (watch_.options_.describe) flow.flow = watch_.source_->describe(sample);
    ++flow.samples;
    flow.first += sample.is_new ? 1 : 0;
    flow.ends += sample.end != FlowEnd::none ? 1 : 0;
    watch_.shown_ += sample.is_new ? 1 : 0;
    watch_.ended_ += sample.end != FlowEnd::none ? 1 : 0;
  }
  void visit(const pipeline::FlowPacket& packet) override {
    watch_.seen_.packets.emplace_back(packet.bytes.begin(), packet.bytes.end());
  }

 private:
  FlowWatch& watch_;
};

FlowWatch::FlowWatch(const NetworkNamespace& where, FlowWatchOptions options)
    : where_(where), options_(std::move(options)) {
  auto filter = filter::compile(options_.filter);
  if (!filter) throw std::runtime_error(filter.error().text());
  options_.flows.interfaces = options_.interfaces;
  options_.flows.filter = std::move(*filter);
  where_.call([&] {
    auto source = flows::open(options_.flows);
    if (!source) throw std::runtime_error(source.error().text());
    source_ = std::move(*source);
  });
  thread_ = std::thread([this] { where_.call([this] { run(); }); });
}

FlowWatch::~FlowWatch() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void FlowWatch::run() {
  Visitor visitor(*this);
  while (!source_->finished()) {
    const auto next = std::chrono::steady_clock::now() + options_.interval;
    while (!stop_ && (hold_ || std::chrono::steady_clock::now() < next))
      if (hold_)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
      else if (!source_->poll(std::chrono::milliseconds{10}))
        return;
    if (stop_ && !source_->stop()) return;
    if (!source_->collect(visitor)) return;
  }
}

bool FlowWatch::wait_for(const std::atomic<std::uint64_t>& counter, std::uint64_t count,
                         std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (counter < count && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  return counter >= count;
}

SeenFlows FlowWatch::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  EXPECT_TRUE(source_->finished());
  where_.call([&] { seen_.loss = source_->loss(); });
  seen_.notices = source_->notices();
  if (auto totals = source_->totals()) seen_.totals = std::move(*totals);
  source_.reset();
  return std::move(seen_);
}

const LossStage& SeenFlows::stage(const std::string& name) const {
  for (const auto& stage : loss)
    if (stage.name == name) return stage;
  throw std::runtime_error("no stage " + name);
}

pipeline::FlowCount SeenFlows::sum() const {
  pipeline::FlowCount sum;
  for (const auto& [id, flow] : by_id) {
    sum.packets += flow.deltas[0].packets + flow.deltas[1].packets;
    sum.bytes += flow.deltas[0].bytes + flow.deltas[1].bytes;
  }
  return sum;
}

std::vector<SeenFlow> SeenFlows::to_port(std::uint16_t port) const {
  std::vector<SeenFlow> found;
  for (const auto& [id, flow] : by_id)
    if (port == 0 || flow.flow.sides[1].endpoint.port == port) found.push_back(flow);
  return found;
}

std::string SeenFlows::text() const {
  std::string text;
  for (const auto& [id, seen] : by_id) {
    const auto& [a, b] = seen.flow.sides;
    text += std::to_string(id) + " " + flow_protocol_name(seen.flow.protocol) + " " + a.endpoint.text() + " > " +
            b.endpoint.text() + " packets " + std::to_string(a.packets) + " " + std::to_string(b.packets) + " bytes " +
            std::to_string(a.bytes) + " " + std::to_string(b.bytes) + " retransmitted " +
            std::to_string(a.retransmissions) + " " + std::to_string(b.retransmissions) + " " +
            flow_end_name(seen.flow.end) + " " + seen.flow.name + "\n";
  }
  for (const auto& notice : notices) text += notice + "\n";
  return text;
}

void expect_balanced(const SeenFlows& seen) {
  const LossReport report{seen.loss};
  EXPECT_TRUE(report.balanced());
  EXPECT_EQ(report.lost(), 0U) << seen.text();
  EXPECT_EQ(seen.sum().packets, seen.loss.back().given);
  for (const auto& [id, flow] : seen.by_id) {
    EXPECT_EQ(flow.first, 1) << "flow " << id;
    EXPECT_EQ(flow.ends, 1) << "flow " << id;
  }
}

}  // namespace sonde::test
