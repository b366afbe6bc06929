// SPDX-License-Identifier: Apache-2.0
// Real processes that talk to each other, tcpdump beside them, and what sonde said about whose their packets are.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "sonde_program.hpp"

namespace sonde::test {

/// peer.py with these words; it is ready when the object is there.
class Peer {
 public:
  Peer(const NetworkNamespace& where, const Words& words);
  void begin() const { process_->signal(SIGUSR1); }
  /// After begin(): until it has done its part.
  void finish();
  [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(process_->pid()); }

 private:
  std::unique_ptr<Process> process_;
};

/// Processes that keep every CPU busy, so that interrupts hit them and not the owners of packets.
class BusyProcessors {
 public:
  explicit BusyProcessors(const NetworkNamespace& where);

 private:
  std::vector<std::unique_ptr<Process>> processes_;
};

/// tcpdump on an interface; count() ends it and gives the packets that match a tshark filter.
class Tcpdump {
 public:
  Tcpdump(const NetworkNamespace& where, const std::string& interface);
  std::size_t count(const std::string& filter);

 private:
  void end();

  TemporaryFile file_{".pcap"};
  Process process_;
  bool ended_ = false;
};

/// "pid 4711" or "unknown: no socket" of a packet in JSON; "none" when it has no owner member.
std::string owner_of(const Json& packet);
inline std::string pid_text(const Peer& peer) { return "pid " + std::to_string(peer.pid()); }

/// The packets with a port, of a protocol.
std::vector<Json> with_port(const Captured& captured, const std::string& protocol, std::uint16_t port);

}  // namespace sonde::test
