// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "harness/netns.hpp"
#include "harness/process.hpp"
#include "pipeline/events.hpp"
#include "sonde/filter.hpp"
#include "sonde/retransmission.hpp"

namespace sonde::test {

/// For programs to start or end: an emulated machine takes minutes to start 20 of them. ctest has a limit of its own.
inline constexpr std::chrono::minutes patience{10};

/// Inode number, as sockets of the namespace show it.
std::uint32_t inode(const NetworkNamespace& where);

/// The sensor, running from here to stop(), on the rung of harness/owner_hook.hpp. Failures throw.
class Watch {
 public:
  explicit Watch(const FilterOptions& filter = {}, const OwnerOptions& owner = {});
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Events of sockets in the namespace. The ledger must balance and nothing may be lost behind the hook.
  std::vector<Retransmission> stop(const NetworkNamespace& where) { return stop(std::set{inode(where)}); }
  std::vector<Retransmission> stop(const std::set<std::uint32_t>& namespaces);
  [[nodiscard]] const LossReport& loss() const { return loss_; }

 private:
  std::vector<Retransmission> events_;
  LossReport loss_;
  std::unique_ptr<pipeline::EventSource<Retransmission>> source_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Counters of a namespace's TCP, by name: "RetransSegs", "TCPTimeouts" ... (/proc/net/snmp and netstat).
class TcpCounters {
 public:
  explicit TcpCounters(const NetworkNamespace& where) : where_(where), before_(read()) {}

  /// Since this object was made.
  [[nodiscard]] std::uint64_t grown(const std::string& name) const { return read().at(name) - before_.at(name); }

 private:
  [[nodiscard]] std::map<std::string, std::uint64_t> read() const;

  const NetworkNamespace& where_;
  std::map<std::string, std::uint64_t> before_;
};

/// A program of traffic.py.
std::unique_ptr<Process> start_traffic(const NetworkNamespace& where, std::vector<std::string> words);
/// Which process used which local port, as the program said.
std::map<std::uint16_t, std::uint32_t> ports_of(const Process& program);
/// By local port, what TCP_INFO said of each connection at its end.
std::map<std::uint16_t, std::uint64_t> retransmitted_by(const Process& program);
/// The process that the program said opened the socket.
std::uint32_t opener_of(const Process& program);

/// Segments of these kinds, summed up; no kinds: of all, with those that failed to be sent.
std::uint64_t segments(const std::vector<Retransmission>& events, const std::vector<RetransmissionKind>& kinds = {});

/// For failures: a line an event.
std::string lines(const std::vector<Retransmission>& events);

/// Drops in `where` what nft(8)'s `match` says.
void drop_received(const NetworkNamespace& where, const std::string& match);
void stop_dropping(const NetworkNamespace& where);

}  // namespace sonde::test
