// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "pipeline/events.hpp"
#include "pipeline/sink.hpp"

namespace sonde::exporter {

/// The last object of the JSON output, without a line end: {"type":"summary",...} (docs/json.md).
[[nodiscard]] std::string summary_json(const pipeline::Summary& summary);
/// The same for events: their number in place of the packet totals.
[[nodiscard]] std::string summary_json(const pipeline::EventTotals& totals);

/// The member "loss" of such an object, with the comma before it.
void append_loss_member(std::string& out, const LossReport& loss);

}  // namespace sonde::exporter
