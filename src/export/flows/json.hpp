// SPDX-License-Identifier: Apache-2.0
// Flows as JSON (docs/json.md). A line without its end.
#pragma once
#include <string>
#include <vector>

#include "sonde/flow_stream.hpp"

namespace sonde::exporter {

/// {"type":"flow",...}
[[nodiscard]] std::string flow_record_json(const FlowRecord& record);
/// {"type":"flow_group",...} for each row of a table by group, then {"type":"flow_group_others",...} if there are more.
[[nodiscard]] std::vector<std::string> flow_groups_json(const FlowTable& table);
/// {"type":"summary",...}
[[nodiscard]] std::string flow_summary_json(const FlowSummary& summary);

}  // namespace sonde::exporter
