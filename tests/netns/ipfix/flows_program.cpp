// SPDX-License-Identifier: Apache-2.0
#include "flows_program.hpp"

#include <csignal>
#include <sstream>
#include <stdexcept>

namespace sonde::test {

std::vector<std::uint64_t> FlowsRun::stage(const std::string& name) const {
  for (const auto& line : lines_of(errors)) {
    std::istringstream words(line);
    std::string first;
    std::vector<std::uint64_t> row(4);
    if (words >> first && first == name && words >> row[0] >> row[1] >> row[2] >> row[3]) return row;
  }
  throw std::runtime_error("no stage " + name + " in\n" + errors);
}

FlowsRun run_flows(const NetworkNamespace& where, const Words& words, const std::function<void()>& traffic) {
  Words all = {SONDE_PROGRAM, "flows"};
  all.insert(all.end(), words.begin(), words.end());
  Process process(where, all);
  if (!process.wait_for_error_text("sonde: source", std::chrono::minutes{2}))
    throw std::runtime_error("sonde did not start:\n" + process.errors());
  traffic();
  process.signal(SIGINT);
  FlowsRun run;
  run.status = process.wait(std::chrono::minutes{2});
  run.output = process.output();
  run.errors = process.errors();
  for (const auto& line : lines_of(run.output)) {
    auto object = Json::parse(line, nullptr, false);
    if (!object.is_object()) continue;
    if (object["type"] == "summary")
      run.summary = std::move(object);
    else
      run.objects.push_back(std::move(object));
  }
  return run;
}

}  // namespace sonde::test
