// SPDX-License-Identifier: Apache-2.0
// Sources and sinks of events (retransmissions, drops, connections). What pipeline/source.hpp and sink.hpp are for
// packets; an event owns its values.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pipeline/loop.hpp"
#include "sonde/loss.hpp"
#include "sonde/result.hpp"

namespace sonde::pipeline {

/// Events of one read.
template <class Event>
struct EventBatch {
  static constexpr std::size_t capacity = 256;
  std::vector<Event> events;

  [[nodiscard]] std::span<const Event> view() const { return events; }
};

/// As Source: one thread reads, events have passed the filters.
template <class Event>
class EventSource {
 public:
  virtual ~EventSource() = default;
  virtual Result<void> read(EventBatch<Event>& batch, std::chrono::milliseconds timeout) = 0;
  virtual Result<void> stop() = 0;
  [[nodiscard]] virtual bool finished() const = 0;
  [[nodiscard]] virtual std::vector<LossStage> loss() const = 0;
  [[nodiscard]] virtual std::vector<std::string> notices() const = 0;
};

struct EventTotals {
  LossReport loss;
  std::uint64_t events = 0;
  std::chrono::nanoseconds duration{};
};

/// As Sink.
template <class Event>
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual Result<void> write(std::span<const Event> events) = 0;
  virtual Result<void> flush() = 0;
  virtual Result<void> finish(const EventTotals& totals) = 0;
  [[nodiscard]] virtual std::uint64_t written() const = 0;
};

template <class Event>
struct EventFlow {
  using Source = EventSource<Event>;
  using Sink = EventSink<Event>;
  using Batch = EventBatch<Event>;
  using Summary = EventTotals;

  static Result<void> write(Sink& sink, const Source&, std::span<const Event> events) { return sink.write(events); }
  static void add(Summary& summary, std::span<const Event> events) { summary.events += events.size(); }
};

/// The loop (pipeline/loop.hpp) over events.
template <class Event>
using EventLoop = Loop<EventFlow<Event>>;

}  // namespace sonde::pipeline
