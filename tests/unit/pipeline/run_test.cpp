// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <thread>

namespace sonde::pipeline {
namespace {

// Gives `packets` in batches; what is left when it is stopped still comes, as from a ring.
class FakeSource final : public Source {
 public:
  explicit FakeSource(std::size_t packets, std::size_t batch = 10) : left_(packets), batch_(batch) {
    event_.packet_size = 100;
  }

  Result<void> read(PacketBatch& batch, std::chrono::milliseconds timeout) override {
    ++reads;
    batch.size = std::min(left_, batch_);
    left_ -= batch.size;
    given_ += batch.size;
    for (std::size_t i = 0; i < batch.size; ++i) batch.packets[i] = {&event_, nullptr, 0};
    if (fail_at != 0 && given_ >= fail_at) return fail(ErrorKind::failed, "the file is damaged");
    if (batch.size == 0 && !stopped) std::this_thread::sleep_for(std::min(timeout, std::chrono::milliseconds{5}));
    drained_ = batch.size == 0;
    if (on_read) on_read();
    return {};
  }
  Result<void> stop() override {
    ++stops;
    stopped = true;
    return stop_result;
  }
  [[nodiscard]] bool finished() const override { return drained_ && (stopped || ends); }
  [[nodiscard]] std::vector<LossStage> loss() const override { return {{"hook", given_, given_, 0, 0, ""}}; }
  [[nodiscard]] const InterfaceTable& interfaces() const override { return table_; }
  [[nodiscard]] std::vector<std::string> notices() const override { return {}; }

  bool ends = true;  ///< like a file; false: like an interface
  std::size_t fail_at = 0;
  std::function<void()> on_read;
  Result<void> stop_result;
  int stops = 0;
  int reads = 0;
  bool stopped = false;

 private:
  std::size_t left_, batch_;
  std::size_t given_ = 0;
  bool drained_ = false;
  sonde_packet_event event_{};
  InterfaceTable table_;
};

struct SinkLog {
  std::size_t packets = 0;
  int flushes = 0;
  int finishes = 0;
  Summary summary;
};

class FakeSink final : public Sink {
 public:
  explicit FakeSink(SinkLog& log, std::size_t room = SIZE_MAX, int error = ENOSPC)
      : log_(log), room_(room), error_(error) {}

  Result<void> write(std::span<const Packet> packets, const InterfaceTable&) override {
    const auto taken = std::min(packets.size(), room_ - log_.packets);
    log_.packets += taken;
    if (taken < packets.size()) return fail_errno(error_, "cannot write");
    return {};
  }
  Result<void> flush() override {
    ++log_.flushes;
    return {};
  }
  Result<void> finish(const Summary& summary) override {
    ++log_.finishes;
    log_.summary = summary;
    return {};
  }
  [[nodiscard]] std::uint64_t written() const override { return log_.packets; }

 private:
  SinkLog& log_;
  std::size_t room_;
  int error_;
};

using Sinks = std::vector<std::unique_ptr<Sink>>;
const std::atomic<bool> never{false};

Sinks one_sink(SinkLog& log, std::size_t room = SIZE_MAX, int error = ENOSPC) {
  Sinks sinks;
  sinks.push_back(std::make_unique<FakeSink>(log, room, error));
  return sinks;
}

LossStage output_of(const Outcome& outcome) { return outcome.summary.loss.stages.back(); }

TEST(Run, ToTheEndOfTheSource) {
  FakeSource source(25);
  SinkLog log;
  const auto outcome = run(source, one_sink(log), {}, never);
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(log.packets, 25U);
  EXPECT_EQ(log.finishes, 1);
  EXPECT_EQ(source.stops, 0);
  EXPECT_EQ(outcome.summary.totals[0][7].packets, 25U);
  EXPECT_EQ(outcome.summary.totals[0][7].bytes, 2500U);
  EXPECT_TRUE(outcome.summary.loss.balanced());
  EXPECT_TRUE(log.summary.loss.balanced()) << "the sinks get the books too";
  EXPECT_EQ(output_of(outcome).given, 25U);
}

TEST(Run, WithoutSinksCountsOnly) {
  FakeSource source(25);
  const auto outcome = run(source, {}, {}, never);
  EXPECT_EQ(output_of(outcome).given, 25U);
  EXPECT_TRUE(outcome.summary.loss.balanced());
}

TEST(Run, StopsAtTheCountAndDrains) {
  for (const std::size_t count : {1, 9, 10, 11, 20}) {
    FakeSource source(35);
    source.ends = false;
    SinkLog log;
    const auto outcome = run(source, one_sink(log), {.count = count}, never);
    EXPECT_EQ(log.packets, count);
    EXPECT_EQ(source.stops, 1);
    EXPECT_EQ(output_of(outcome).taken, 35U) << "what waited was read";
    EXPECT_EQ(output_of(outcome).filtered, 35 - count);
    EXPECT_EQ(output_of(outcome).lost, 0U);
    EXPECT_TRUE(outcome.summary.loss.balanced());
    EXPECT_EQ(outcome.summary.totals[0][7].packets, count);
  }
}

TEST(Run, StopsWhenTold) {
  FakeSource source(30);
  source.ends = false;
  std::atomic<bool> stop{false};
  source.on_read = [&] { stop = true; };
  SinkLog log;
  const auto outcome = run(source, one_sink(log), {}, stop);
  EXPECT_EQ(log.packets, 30U) << "drained";
  EXPECT_EQ(source.stops, 1);
  EXPECT_FALSE(outcome.error);
}

TEST(Run, StopsAfterTheDuration) {
  FakeSource source(5);
  source.ends = false;
  const auto outcome = run(source, {}, {.duration = std::chrono::milliseconds{30}}, never);
  EXPECT_GE(outcome.summary.duration, std::chrono::milliseconds{30});
  EXPECT_EQ(source.stops, 1);
  EXPECT_EQ(output_of(outcome).given, 5U);
}

TEST(Run, FlushesWhenNothingWaits) {
  FakeSource source(5);
  source.ends = false;
  SinkLog log;
  std::atomic<bool> stop{false};
  int flushed_before_the_second_read = 0;
  source.on_read = [&] {
    if (source.reads == 2) flushed_before_the_second_read = log.flushes;
    stop = source.reads >= 4;
  };
  (void)run(source, one_sink(log), {}, stop);
  EXPECT_EQ(flushed_before_the_second_read, 1) << "five packets are all there is: they are shown";
}

TEST(Run, FullDiskIsAnErrorAndTheRestIsCountedAsLost) {
  FakeSource source(40);
  source.ends = false;
  SinkLog log;
  const auto outcome = run(source, one_sink(log, 13), {}, never);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, ENOSPC);
  EXPECT_EQ(log.packets, 13U) << "nothing is written after a failure";
  EXPECT_EQ(source.stops, 1);
  EXPECT_EQ(output_of(outcome).given, 13U);
  EXPECT_EQ(output_of(outcome).lost, 27U);
  EXPECT_TRUE(outcome.summary.loss.balanced());
}

TEST(Run, ClosedPipeIsNoError) {
  FakeSource source(40);
  SinkLog log;
  const auto outcome = run(source, one_sink(log, 13, EPIPE), {}, never);
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(output_of(outcome).note, "the reader of the output went away");
  EXPECT_TRUE(outcome.summary.loss.balanced());
}

TEST(Run, OfTwoSinksTheSlowerOneCounts) {
  FakeSource source(40);
  SinkLog whole, cut;
  auto sinks = one_sink(whole);
  sinks.push_back(std::make_unique<FakeSink>(cut, 13));
  const auto outcome = run(source, sinks, {}, never);
  EXPECT_TRUE(outcome.error);
  EXPECT_EQ(output_of(outcome).given, 13U);
}

TEST(Run, KeepsTheErrorOfTheSource) {
  FakeSource source(40);
  source.fail_at = 20;
  SinkLog log;
  const auto outcome = run(source, one_sink(log), {}, never);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->message, "the file is damaged");
  EXPECT_EQ(log.packets, 20U) << "what came with the error is output";
  EXPECT_EQ(log.finishes, 1);
  EXPECT_TRUE(outcome.summary.loss.balanced());
}

}  // namespace
}  // namespace sonde::pipeline
