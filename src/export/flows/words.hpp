// SPDX-License-Identifier: Apache-2.0
// Words that JSON and tables of flows share.
#pragma once
#include "sonde/flow_stream.hpp"

namespace sonde::exporter {

/// As the command line has it: "process", "dst-port" ...
[[nodiscard]] const char* grouping_word(FlowGrouping grouping);
/// "rate", "retrans" ...
[[nodiscard]] const char* order_word(FlowOrder order);

}  // namespace sonde::exporter
