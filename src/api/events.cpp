// SPDX-License-Identifier: Apache-2.0
#include "sonde/events.hpp"

#include <atomic>

#include "filter/filter.hpp"
#include "registry/events.hpp"

namespace sonde {

template <class Event>
struct EventStream<Event>::State {
  std::unique_ptr<pipeline::EventSource<Event>> source;
  std::vector<std::unique_ptr<pipeline::EventSink<Event>>> sinks;
  pipeline::Limits limits;
  std::atomic<bool> stop{false};
};

namespace {

template <class Event>
class HandlerSink final : public pipeline::EventSink<Event> {
 public:
  explicit HandlerSink(typename EventStream<Event>::Handler handler) : handler_(std::move(handler)) {}

  Result<void> write(std::span<const Event> events) override {
    for (const auto& event : events) handler_(event);
    written_ += events.size();
    return {};
  }
  Result<void> flush() override { return {}; }
  Result<void> finish(const pipeline::EventTotals&) override { return {}; }
  [[nodiscard]] std::uint64_t written() const override { return written_; }

 private:
  typename EventStream<Event>::Handler handler_;
  std::uint64_t written_ = 0;
};

Result<events::SensorRequest> sensor_request(const EventOptions& options) {
  auto compiled = filter::compile(options.filter);
  if (!compiled) return std::unexpected(compiled.error());
  events::SensorRequest request{std::move(*compiled), options.owner};
  if (options.buffer_bytes) request.buffer_bytes = *options.buffer_bytes;
  return request;
}

}  // namespace

template <class Event>
EventStream<Event>::EventStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
template <class Event>
EventStream<Event>::EventStream(EventStream&&) noexcept = default;
template <class Event>
EventStream<Event>& EventStream<Event>::operator=(EventStream&&) noexcept = default;
template <class Event>
EventStream<Event>::~EventStream() = default;

template <class Event>
Result<EventStream<Event>> EventStream<Event>::make(const EventOptions& options, Handler handler) {
  auto state = std::make_unique<State>();
  if (!options.output.empty()) {
    auto sink = registry::make_event_sink<Event>(options);
    if (!sink) return std::unexpected(sink.error());
    state->sinks.push_back(std::move(*sink));
  }
  if (handler) state->sinks.push_back(std::make_unique<HandlerSink<Event>>(std::move(handler)));
  const auto request = sensor_request(options);
  if (!request) return std::unexpected(request.error());
  auto source = registry::event_kind<Event>().open(*request);
  if (!source) return std::unexpected(source.error());
  state->source = std::move(*source);
  state->limits = {options.count, options.duration};
  return EventStream(std::move(state));
}

template <class Event>
std::vector<std::string> EventStream<Event>::notices() const {
  return state_->source->notices();
}

template <class Event>
EventSummary EventStream<Event>::run() {
  auto outcome = pipeline::EventLoop<Event>(*state_->source, state_->sinks, state_->limits, state_->stop).run();
  auto& totals = outcome.summary;
  return {std::move(totals.loss), totals.events, totals.duration, std::move(outcome.error)};
}

template <class Event>
void EventStream<Event>::stop() noexcept {
  state_->stop.store(true, std::memory_order_relaxed);
}

template class EventStream<Retransmission>;
template class EventStream<Drop>;
template class EventStream<Connection>;

Result<std::vector<Connection>> connection_snapshot(const EventOptions& options) {
  const auto request = sensor_request(options);
  if (!request) return std::unexpected(request.error());
  auto connections = registry::open_connections(*request);
  if (!connections || options.output.empty()) return connections;
  const auto printed = registry::print_connections(*connections, options);
  if (!printed) return std::unexpected(printed.error());
  return connections;
}

}  // namespace sonde
