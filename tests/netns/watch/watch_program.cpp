// SPDX-License-Identifier: Apache-2.0
#include "watch_program.hpp"

#include <memory>
#include <stdexcept>
#include <thread>

namespace sonde::test {
namespace {

constexpr std::chrono::minutes patience{2};  // a busy machine takes its time

Words with_program(const Words& words) {
  Words all = {sonde_path, "watch", "-o", "json"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

Watched results(Process& process) {
  Watched watched;
  watched.status = process.wait(patience);
  watched.output = process.output();
  watched.errors = process.errors();
  for (const auto& line : lines_of(watched.output)) {
    auto object = Json::parse(line, nullptr, false);
    if (!object.is_object()) continue;
    if (object["type"] == "summary")
      watched.summary = object;
    else
      watched.events.push_back(object);
  }
  return watched;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

std::vector<Json> Watched::started(const std::string& kind) const {
  std::vector<Json> found;
  for (const auto& event : events)
    if (event["state"] == "started" && (kind.empty() || event["kind"] == kind)) found.push_back(event);
  return found;
}

Watching::Watching(const NetworkNamespace& where, const Words& words) : process_(where, with_program(words)) {
  if (!process_.wait_for_error_text("sonde: source", patience))
    throw std::runtime_error("sonde did not start:\n" + process_.errors());
}

bool Watching::wait_for_events(const std::string& kind, std::size_t count) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    std::size_t found = 0;
    for (const auto& line : lines_of(process_.output()))
      found += count_of(line, "\"kind\":\"" + kind + "\"") > 0 && count_of(line, "\"state\":\"started\"") > 0 ? 1 : 0;
    if (found >= count) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
}

Watched Watching::end(int signal) {
  if (signal != 0) process_.signal(signal);
  return results(process_);
}

Watched run_watch(const NetworkNamespace& where, const Words& words) {
  Process process(where, with_program(words));
  return results(process);
}

void run_together(const NetworkNamespace& where, const std::vector<std::string>& commands) {
  std::vector<std::unique_ptr<Process>> running;
  for (const auto& command : commands)
    running.push_back(std::make_unique<Process>(where, Words{"bash", "-c", command}));
  for (std::size_t i = 0; i < running.size(); ++i)
    if (running[i]->wait(patience) != 0)
      throw std::runtime_error(commands[i] + "\n" + running[i]->output() + running[i]->errors());
}

}  // namespace sonde::test
