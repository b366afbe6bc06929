// SPDX-License-Identifier: Apache-2.0
// Sinks of events: a line or a JSON object each, given as functions by the kind of event.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "export/writer.hpp"
#include "pipeline/events.hpp"

namespace sonde::exporter {

/// A line without its end.
template <class Event>
using EventText = std::function<std::string(const Event&)>;

/// Writes `text` of each event and a line end.
template <class Event>
class LineSink final : public pipeline::EventSink<Event> {
 public:
  /// `trailer` gives the last line (the JSON summary) without its end; empty: none.
  LineSink(Output output, EventText<Event> text, std::function<std::string(const pipeline::EventTotals&)> trailer = {})
      : writer_(std::move(output)), text_(std::move(text)), trailer_(std::move(trailer)) {}

  Result<void> write(std::span<const Event> events) override {
    for (const auto& event : events) {
      const auto line = text_(event);
      char* out = writer_.room(line.size() + 1);
      if (out == nullptr) return writer_.error();
      out = std::ranges::copy(line, out).out;
      *out++ = '\n';
      writer_.end_packet(out);
    }
    return {};
  }

  Result<void> flush() override { return writer_.flush(); }

  Result<void> finish(const pipeline::EventTotals& totals) override {
    if (!trailer_) return writer_.flush();
    const auto line = trailer_(totals) + "\n";
    char* out = writer_.room(line.size());
    if (out == nullptr) return writer_.error();
    writer_.end_header(std::ranges::copy(line, out).out);
    return writer_.flush();
  }

  [[nodiscard]] std::uint64_t written() const override { return writer_.written(); }

 private:
  FdWriter writer_;
  EventText<Event> text_;
  std::function<std::string(const pipeline::EventTotals&)> trailer_;
};

/// Takes every event and writes what `report` makes of them at the end (--summary).
template <class Event>
class ReportSink final : public pipeline::EventSink<Event> {
 public:
  /// `add` is called for each event, `report` once at the end; its text ends with a line end.
  ReportSink(Output output, std::function<void(const Event&)> add,
             std::function<std::string(const pipeline::EventTotals&)> report)
      : writer_(std::move(output)), add_(std::move(add)), report_(std::move(report)) {}

  Result<void> write(std::span<const Event> events) override {
    for (const auto& event : events) add_(event);
    taken_ += events.size();
    return {};
  }

  Result<void> flush() override { return {}; }

  Result<void> finish(const pipeline::EventTotals& totals) override {
    const auto text = report_(totals);
    char* out = writer_.room(text.size());
    if (out == nullptr) return writer_.error();
    writer_.end_header(std::ranges::copy(text, out).out);
    return writer_.flush();
  }

  [[nodiscard]] std::uint64_t written() const override { return taken_; }

 private:
  FdWriter writer_;
  std::function<void(const Event&)> add_;
  std::function<std::string(const pipeline::EventTotals&)> report_;
  std::uint64_t taken_ = 0;
};

}  // namespace sonde::exporter
