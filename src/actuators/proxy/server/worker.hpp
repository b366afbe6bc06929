// SPDX-License-Identifier: Apache-2.0
// A thread with its loop, its listening sockets and its connections.
#pragma once
#include <functional>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "actuators/proxy/forward/paths.hpp"
#include "actuators/proxy/forward/relay.hpp"
#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/resolve/resolver.hpp"
#include "actuators/proxy/server/answer.hpp"
#include "actuators/proxy/server/client_counts.hpp"
#include "actuators/proxy/server/connection.hpp"
#include "actuators/proxy/server/health.hpp"
#include "actuators/proxy/server/snapshot.hpp"
#include "actuators/proxy/server/wire_connections.hpp"
#include "actuators/proxy/stats/statistics.hpp"
#include "base/wall_clock.hpp"

namespace sonde::proxy {

/// What all workers use. Made before the first, gone after the last.
struct Shared {
  std::unique_ptr<Statistics> statistics;
  Paths paths;
  std::unique_ptr<DnsCache> dns_cache;
  ClientCounts client_counts;
  std::unique_ptr<Table> left_wire;                   ///< where an earlier process has left some, and there is no path
  std::unique_ptr<WireConnections> wire_connections;  ///< null: there is neither

  /// Null: there is neither.
  [[nodiscard]] Table* wire_table() const { return paths.wire ? &paths.wire->table() : left_wire.get(); }
};

class Worker {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Worker>> make(unsigned index, Shared& shared, SnapshotPointer snapshot);
  ~Worker();

  // Before run(), or on the worker's thread (post()).
  /// Accepts from it. The descriptor may be another worker's, duplicated.
  Result<void> listen(const ProxyListener& listener, Fd fd);
  /// Accepts no more from the listener at this address; what has been accepted goes on.
  void stop_listening(const Endpoint& address);
  void stop_listening();
  /// For connections and listeners from now on. Worker 0 also checks the health of its upstreams.
  void set_snapshot(SnapshotPointer snapshot);
  void report_traffic();
  /// Resets every connection.
  void abort_all();

  /// The thread; ends with stop().
  void start();
  void stop();
  void post(std::function<void()> work) { loop_->post(std::move(work)); }

  // For connections, on the worker's thread.
  [[nodiscard]] Loop& loop() { return *loop_; }
  [[nodiscard]] RelayPool& pool() { return *pool_; }
  [[nodiscard]] Resolver& resolver() { return *resolver_; }
  [[nodiscard]] Paths& paths() { return shared_.paths; }
  [[nodiscard]] Statistics& statistics() { return *shared_.statistics; }
  [[nodiscard]] ClientCounts& client_counts() { return shared_.client_counts; }
  /// Where there is a path `wire`.
  [[nodiscard]] WireConnections& wire_connections() { return *shared_.wire_connections; }
  [[nodiscard]] const SnapshotPointer& snapshot() const { return snapshot_; }
  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] std::int64_t wall_ns();
  void count(Counter counter) { statistics().add(index_, counter); }
  void refuse(Refusal refusal, const RefusalCounters& counters);
  /// It is over: destroyed after this batch of events.
  void forget(Connection& connection);

 private:
  class Acceptor;
  friend class Acceptor;

  Worker(unsigned index, Shared& shared);
  void accepted(const ProxyListener& listener, Fd fd, const Endpoint& peer);

  unsigned index_;
  Shared& shared_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<RelayPool> pool_;
  std::unique_ptr<Resolver> resolver_;
  SnapshotPointer snapshot_;
  WallClock wall_clock_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unique_ptr<HealthChecks> health_;
  std::thread thread_;
};

}  // namespace sonde::proxy
