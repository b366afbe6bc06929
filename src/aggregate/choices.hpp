// SPDX-License-Identifier: Apache-2.0
// The words of --by and --sort.
#pragma once
#include <string>

#include "sonde/flow_stream.hpp"
#include "sonde/result.hpp"

namespace sonde::aggregate {

/// ErrorKind::usage names the word and lists the right ones.
[[nodiscard]] Result<FlowGrouping> grouping_of(const std::string& word);
[[nodiscard]] Result<FlowOrder> order_of(const std::string& word);

}  // namespace sonde::aggregate
