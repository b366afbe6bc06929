// SPDX-License-Identifier: Apache-2.0
// A strict reader of the Prometheus text format 0.0.4, written after its specification, which knows nothing of what
// writes it.
#pragma once
#include <map>
#include <string>

namespace sonde::test {

struct Metrics {
  std::map<std::string, double> samples;     ///< "name" or "name{a=\"x\",b=\"y\"}", labels unescaped and sorted
  std::map<std::string, std::string> types;  ///< by family
  std::string error;                         ///< the first thing that is wrong; empty: nothing
};

[[nodiscard]] Metrics parse_metrics(const std::string& text);

}  // namespace sonde::test
