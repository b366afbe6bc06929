// SPDX-License-Identifier: Apache-2.0
// The built program as a black box: `sonde flows` in a namespace.
#pragma once
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

struct FlowsRun {
  int status = -1;
  std::string output, errors;
  std::vector<Json> objects;  ///< with -o json, without the summary
  Json summary;

  /// A row of the ledger on standard error: taken, given, filtered, lost.
  [[nodiscard]] std::vector<std::uint64_t> stage(const std::string& name) const;
  [[nodiscard]] bool balanced() const { return errors.find("0 lost; the books balance") != std::string::npos; }
};

/// `sonde flows WORDS` around the traffic, ended by SIGINT. Throws if it does not start.
FlowsRun run_flows(const NetworkNamespace& where, const Words& words, const std::function<void()>& traffic);

}  // namespace sonde::test
