// SPDX-License-Identifier: Apache-2.0
// The loop between a source and its sinks, for packets and for events: limits, stop, draining, flushing, the books.
#pragma once
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "sonde/loss.hpp"
#include "sonde/result.hpp"

namespace sonde::pipeline {

struct Limits {
  std::uint64_t count = 0;              ///< records to output; 0: no limit
  std::chrono::nanoseconds duration{};  ///< 0: no limit
};

/// Flow gives the types and what differs between kinds of records:
///   Source  read(Batch&, timeout), stop(), finished(), loss()
///   Sink    flush(), finish(const Summary&), written()
///   Batch   view() gives a span of records; capacity
///   Summary has loss and duration
///   write(Sink&, Source&, span)  hands records to a sink
///   add(Summary&, span)          adds records that were output
/// Runs until the source is finished, a limit is reached, `stop` becomes true or a sink fails. Then ends the intake,
/// reads what was taken before (records beyond the count are counted as filtered) and finishes the sinks. A closed pipe
/// is no error. `stop` may be set by a signal handler.
template <class Flow>
class Loop {
 public:
  using Source = typename Flow::Source;
  using Sink = typename Flow::Sink;
  using Batch = typename Flow::Batch;
  using Summary = typename Flow::Summary;

  struct Outcome {
    Summary summary;
    std::optional<Error> error;  ///< what ended the run early; the summary holds all the same
  };

  Loop(Source& source, const std::vector<std::unique_ptr<Sink>>& sinks, const Limits& limits,
       const std::atomic<bool>& stop)
      : source_(source), sinks_(sinks), limits_(limits), stop_(stop) {}

  [[nodiscard]] Outcome run() {
    while (!source_.finished()) {
      if (!stopping_ && ends()) end_intake();
      if (!step()) break;
    }
    finish();
    return std::move(outcome_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  // How long a read may wait, which is how soon a stop is noticed.
  static constexpr std::chrono::milliseconds read_timeout{20};
  // How long output may stay in a sink's buffer while the source has more than it can hand over.
  static constexpr std::chrono::milliseconds flush_interval{20};

  [[nodiscard]] bool count_reached() const { return limits_.count != 0 && output_ >= limits_.count; }

  [[nodiscard]] bool ends() const {
    const bool late = limits_.duration.count() != 0 && Clock::now() - start_ >= limits_.duration;
    return late || count_reached() || sinks_failed_ || stop_.load(std::memory_order_relaxed);
  }

  void end_intake() {
    stopping_ = true;
    keep_first_error(source_.stop());
  }

  bool step() {
    const auto read = source_.read(*batch_, timeout());
    const auto records = batch_->view();
    if (!records.empty()) take(records);
    if (!read) keep_first_error(read);
    flush_when_due(records.size() < Batch::capacity);
    return read.has_value();
  }

  void flush_when_due(bool drained) {
    if (!unflushed_) return;
    const auto now = Clock::now();
    if (!drained && now - flushed_at_ < flush_interval) return;
    for_each_sink([](Sink& sink) { return sink.flush(); });
    flushed_at_ = now;
    unflushed_ = false;
  }

  [[nodiscard]] std::chrono::milliseconds timeout() const {
    if (limits_.duration.count() == 0) return read_timeout;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(limits_.duration - (Clock::now() - start_));
    return std::clamp(left, std::chrono::milliseconds{0}, read_timeout);
  }

  template <class Records>
  void take(const Records& records) {
    taken_ += records.size();
    const auto wanted =
        limits_.count == 0 ? records.size() : std::min<std::uint64_t>(records.size(), limits_.count - output_);
    output_ += wanted;
    const auto chosen = records.first(wanted);
    Flow::add(outcome_.summary, chosen);
    if (chosen.empty()) return;
    for_each_sink([&](Sink& sink) { return Flow::write(sink, source_, chosen); });
    unflushed_ = true;
  }

  // After a failure nothing more is written: what the sink got before stays well-formed.
  template <class Call>
  void for_each_sink(Call call) {
    if (sinks_failed_) return;
    for (const auto& sink : sinks_) {
      const auto done = call(*sink);
      if (done) continue;
      sinks_failed_ = true;
      if (done.error().code == EPIPE)
        pipe_closed_ = true;
      else
        keep_first_error(done);
      return;
    }
  }

  void keep_first_error(const Result<void>& done) {
    if (!done && !outcome_.error) outcome_.error = done.error();
  }

  void finish() {
    auto& summary = outcome_.summary;
    summary.duration = Clock::now() - start_;
    for_each_sink([](Sink& sink) { return sink.flush(); });
    summary.loss.stages = source_.loss();
    summary.loss.stages.push_back(output_stage());
    for_each_sink([&](Sink& sink) { return sink.finish(summary); });
    summary.loss.stages.back() = output_stage();
  }

  // With several sinks a record is given when all of them have written it.
  [[nodiscard]] LossStage output_stage() const {
    std::uint64_t given = output_;
    for (const auto& sink : sinks_) given = std::min(given, sink->written());
    LossStage stage{"output", taken_, given, taken_ - output_, output_ - given, ""};
    if (pipe_closed_) stage.note = "the reader of the output went away";
    return stage;
  }

  Source& source_;
  const std::vector<std::unique_ptr<Sink>>& sinks_;
  const Limits limits_;
  const std::atomic<bool>& stop_;
  const Clock::time_point start_ = Clock::now();
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
  Outcome outcome_;
  std::uint64_t taken_ = 0;   ///< records read from the source
  std::uint64_t output_ = 0;  ///< of these, within the count
  Clock::time_point flushed_at_ = start_;
  bool unflushed_ = false;
  bool stopping_ = false;
  bool sinks_failed_ = false;
  bool pipe_closed_ = false;
};

}  // namespace sonde::pipeline
