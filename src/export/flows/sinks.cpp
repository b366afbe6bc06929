// SPDX-License-Identifier: Apache-2.0
#include "export/flows/sinks.hpp"

#include <algorithm>
#include <deque>

#include "export/flows/json.hpp"
#include "export/writer.hpp"

namespace sonde::exporter {
namespace {

std::uint64_t packets_in(const std::array<PacketCount, 2>& count) { return count[0].packets + count[1].packets; }

/// Lines, and how many packets those tell of that have reached the file.
class CountedLines {
 public:
  explicit CountedLines(Output output) : writer_(std::move(output)) {}

  Result<void> write(const std::string& text, std::uint64_t packets, std::uint64_t records) {
    char* out = writer_.room(text.size());
    if (out == nullptr) return writer_.error();
    writer_.end_packet(std::ranges::copy(text, out).out);
    waiting_.push_back({packets, records});
    return {};
  }
  Result<void> write_trailer(const std::string& text) {
    char* out = writer_.room(text.size());
    if (out == nullptr) return writer_.error();
    writer_.end_header(std::ranges::copy(text, out).out);
    return writer_.flush();
  }
  Result<void> flush() {
    auto done = writer_.flush();
    count();
    return done;
  }
  [[nodiscard]] std::uint64_t packets() {
    count();
    return packets_;
  }
  [[nodiscard]] std::uint64_t records() {
    count();
    return records_;
  }

 private:
  struct Unit {
    std::uint64_t packets, records;
  };
  void count() {
    for (; counted_ < writer_.written(); ++counted_) {
      packets_ += waiting_.front().packets;
      records_ += waiting_.front().records;
      waiting_.pop_front();
    }
  }

  FdWriter writer_;
  std::deque<Unit> waiting_;
  std::uint64_t counted_ = 0, packets_ = 0, records_ = 0;
};

class FlowJsonSink final : public FlowSink {
 public:
  explicit FlowJsonSink(Output output) : lines_(std::move(output)) {}

  Result<void> write(const FlowRecord& record) override {
    return lines_.write(flow_record_json(record) + "\n", packets_in(record.delta), 1);
  }
  Result<void> write(const FlowTable& table) override {
    const auto lines = flow_groups_json(table);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto& row = i < table.rows.size() ? table.rows[i] : table.others;
      auto done = lines_.write(lines[i] + "\n", packets_in(row.interval), 1);
      if (!done) return done;
    }
    return {};
  }
  Result<void> flush() override { return lines_.flush(); }
  Result<void> finish(const FlowSummary& summary) override {
    return lines_.write_trailer(flow_summary_json(summary) + "\n");
  }
  [[nodiscard]] std::uint64_t packets() const override { return lines_.packets(); }
  [[nodiscard]] std::uint64_t records() const override { return lines_.records(); }

 private:
  mutable CountedLines lines_;
};

class FlowTextSink final : public FlowSink {
 public:
  FlowTextSink(Output output, FlowTableStyle style) : lines_(std::move(output)), style_(style) {}

  Result<void> write(const FlowTable& table) override {
    const auto text = std::string(any_ ? "\n" : "") + flow_table_text(table, style_);
    any_ = true;
    return lines_.write(text, table.interval_total.packets, table.rows.size());
  }
  Result<void> flush() override { return lines_.flush(); }
  Result<void> finish(const FlowSummary&) override { return lines_.flush(); }
  [[nodiscard]] std::uint64_t packets() const override { return lines_.packets(); }
  [[nodiscard]] std::uint64_t records() const override { return lines_.records(); }

 private:
  mutable CountedLines lines_;
  FlowTableStyle style_;
  bool any_ = false;
};

}  // namespace

std::unique_ptr<FlowSink> make_flow_json_sink(Output output) {
  return std::make_unique<FlowJsonSink>(std::move(output));
}

std::unique_ptr<FlowSink> make_flow_text_sink(Output output, FlowTableStyle style) {
  return std::make_unique<FlowTextSink>(std::move(output), style);
}

}  // namespace sonde::exporter
