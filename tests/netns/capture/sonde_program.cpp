// SPDX-License-Identifier: Apache-2.0
#include "sonde_program.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace sonde::test {
namespace {

constexpr std::chrono::minutes patience{2};  // an emulated machine takes its time to load programs

Words with_program(const Words& words) {
  Words all = {sonde_path, "capture"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

Captured read_results(Process& process) {
  Captured captured;
  captured.status = process.wait(patience);
  captured.output = process.output();
  captured.errors = process.errors();
  for (const auto& line : lines_of(captured.output)) {
    const auto object = Json::parse(line, nullptr, false);
    if (!object.is_object()) continue;
    if (object["type"] == "summary")
      captured.summary = object;
    else
      captured.packets.push_back(object);
  }
  return captured;
}

}  // namespace

std::vector<Json> Captured::only(const std::string& protocol, const std::string& direction) const {
  std::vector<Json> chosen;
  for (const auto& packet : packets)
    if (packet["protocol"] == protocol && (direction.empty() || packet["direction"] == direction))
      chosen.push_back(packet);
  return chosen;
}

std::vector<std::uint64_t> Captured::stage(const std::string& name) const {
  for (const auto& line : lines_of(errors)) {
    std::istringstream words(line);
    std::string first;
    std::vector<std::uint64_t> row(4);
    if (words >> first && first == name && words >> row[0] >> row[1] >> row[2] >> row[3]) return row;
  }
  throw std::runtime_error("no stage " + name + " in\n" + errors);
}

Capturing::Capturing(const NetworkNamespace& where, const Words& words) : process_(where, with_program(words)) {
  if (!process_.wait_for_error_text("sonde: source", patience))
    throw std::runtime_error("sonde did not start:\n" + process_.errors());
}

Captured Capturing::end(int signal) {
  if (signal != 0) process_.signal(signal);
  return read_results(process_);
}

Captured capture(const NetworkNamespace& where, const Words& words, const std::function<void()>& traffic, int signal) {
  auto all = words;
  const auto has = [&](const char* word) { return std::ranges::find(words, word) != words.end(); };
  if (!has("-o") && !has("-w") && !has("-q")) all.insert(all.begin(), {"-o", "json"});
  Capturing capturing(where, all);
  traffic();
  return capturing.end(signal);
}

Captured run_sonde(const NetworkNamespace& where, const Words& words) {
  Words all = {sonde_path};
  all.insert(all.end(), words.begin(), words.end());
  Process process(where, all);
  return read_results(process);
}

std::vector<std::vector<std::string>> tshark_rows(const std::string& file, const Words& fields,
                                                  const std::string& filter) {
  std::string command = "tshark -n -r " + file +
                        " -T fields -E separator=/t -E occurrence=f -o ip.defragment:false "
                        "-o ipv6.defragment:false";
  if (!filter.empty()) command += " -Y '" + filter + "'";
  for (const auto& field : fields) command += " -e " + field;
  std::vector<std::vector<std::string>> rows;
  for (const auto& line : lines_of(run(command + " 2>/dev/null"))) rows.push_back(split(line, '\t'));
  return rows;
}

Bytes udp_frame(std::uint16_t destination_port, std::size_t payload) {
  return ethernet({.broadcast = true},
                  ipv4({.protocol = 17}, udp({.destination_port = destination_port}, counting(payload))));
}

}  // namespace sonde::test
