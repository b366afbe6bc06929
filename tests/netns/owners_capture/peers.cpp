// SPDX-License-Identifier: Apache-2.0
#include "peers.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace sonde::test {
namespace {

constexpr std::chrono::seconds patience{60};  // an emulated machine takes 20 s to start Python

Words with_script(const Words& words) {
  Words all = {"python3", SONDE_PEER};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

// tcpdump throws away at the end what it has not read yet.
void wait_until_still(const std::string& file) {
  for (std::size_t before = 0, now = read_file(file).size(); before != now; now = read_file(file).size()) {
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
  }
}

}  // namespace

Peer::Peer(const NetworkNamespace& where, const Words& words)
    : process_(std::make_unique<Process>(where, with_script(words))) {
  if (!process_->wait_for_output_text("ready", patience)) throw std::runtime_error("peer.py: " + process_->errors());
}

void Peer::finish() {
  if (!process_->wait_for_output_text("done", patience)) throw std::runtime_error("peer.py: " + process_->errors());
}

BusyProcessors::BusyProcessors(const NetworkNamespace& where) {
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
    processes_.push_back(std::make_unique<Process>(where, Words{"sh", "-c", "while :; do :; done"}));
}

Tcpdump::Tcpdump(const NetworkNamespace& where, const std::string& interface)
    : process_(where,
               {"tcpdump", "-i", interface, "-U", "--immediate-mode", "-B", "65536", "-s", "128", "-w", file_.path()}) {
  if (!process_.wait_for_error_text("listening on")) throw std::runtime_error(process_.errors());
}

void Tcpdump::end() {
  if (ended_) return;
  wait_until_still(file_.path());
  process_.signal(SIGINT);
  process_.wait();
  ended_ = true;
  if (process_.errors().find("\n0 packets dropped by kernel") == std::string::npos)
    throw std::runtime_error("tcpdump lost packets");
}

std::size_t Tcpdump::count(const std::string& filter) {
  end();
  return tshark_rows(file_.path(), {"frame.number"}, filter).size();
}

std::string owner_of(const Json& packet) {
  if (!packet.contains("owner")) return "none";
  const auto& owner = packet["owner"];
  if (owner["method"] == "none") return "unknown: " + owner["reason"].get<std::string>();
  return "pid " + std::to_string(owner["pid"].get<std::uint32_t>());
}

std::vector<Json> with_port(const Captured& captured, const std::string& protocol, std::uint16_t port) {
  auto packets = captured.only(protocol);
  std::erase_if(packets, [port](const Json& packet) {
    return !packet.contains("source_port") || (packet["source_port"] != port && packet["destination_port"] != port);
  });
  return packets;
}

}  // namespace sonde::test
