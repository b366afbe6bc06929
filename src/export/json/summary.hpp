// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "pipeline/sink.hpp"

namespace sonde::exporter {

/// The last object of the JSON output, without a line end: {"type":"summary",...} (docs/json.md).
[[nodiscard]] std::string summary_json(const pipeline::Summary& summary);

}  // namespace sonde::exporter
