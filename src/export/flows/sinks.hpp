// SPDX-License-Identifier: Apache-2.0
// Where records and tables of flows go.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "export/sinks.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde::exporter {

/// As pipeline::Sink: an error ends the run; what was written before is whole.
class FlowSink {
 public:
  virtual ~FlowSink() = default;
  virtual Result<void> write(const FlowRecord& /*record*/) { return {}; }
  virtual Result<void> write(const FlowTable& /*table*/) { return {}; }
  virtual Result<void> flush() = 0;
  /// Once, at the end.
  virtual Result<void> finish(const FlowSummary& summary) = 0;
  /// Packets in what has reached the reader.
  [[nodiscard]] virtual std::uint64_t packets() const = 0;
  /// Flow records, groups or rows that have.
  [[nodiscard]] virtual std::uint64_t records() const = 0;
  /// Why packets() is less than what was written; grows.
  [[nodiscard]] virtual std::vector<std::string> notices() const { return {}; }
};

/// One object a record; of tables one a group.
[[nodiscard]] std::unique_ptr<FlowSink> make_flow_json_sink(Output output);
/// Tables, an empty line between them.
[[nodiscard]] std::unique_ptr<FlowSink> make_flow_text_sink(Output output, FlowTableStyle style);

}  // namespace sonde::exporter
