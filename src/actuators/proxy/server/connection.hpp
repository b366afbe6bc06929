// SPDX-License-Identifier: Apache-2.0
// One client, from accept to the line of the access log.
#pragma once
#include <list>
#include <memory>

#include "actuators/proxy/forward/relay.hpp"
#include "actuators/proxy/loop/task.hpp"
#include "actuators/proxy/server/first_flight.hpp"
#include "actuators/proxy/server/snapshot.hpp"
#include "actuators/proxy/server/upstream.hpp"
#include "actuators/proxy/stats/statistics.hpp"

namespace sonde::proxy {

class Worker;

class Connection final : public RelayObserver {
 public:
  Connection(Worker& worker, const ProxyListener& listener, std::unique_ptr<Channel> client, const Endpoint& peer);
  ~Connection() override;

  /// Serves it; it ends by Worker::forget(). `refusal`: only tells the client why not.
  void start(Refusal refusal = Refusal::none);
  /// Resets both sides. It ends before this returns.
  void abort();
  /// Adds to the statistics what was carried since the last call.
  void report_traffic();

  void relay_ended(Relay& relay, const RelayResult& result) override;
  void relay_handed_over(Relay& relay, std::uint32_t index, Fd client, Fd upstream, const RelayResult& result) override;

  std::list<std::unique_ptr<Connection>>::iterator place;  ///< in the worker's list

 private:
  Task<> serve(Refusal refusal);
  Task<Refusal> establish();
  Task<> dismiss(Refusal refusal);
  [[nodiscard]] Refusal admit();
  [[nodiscard]] Endpoint local_address() const;
  void relay();
  [[nodiscard]] ProxyForwarding wanted() const;
  [[nodiscard]] bool may_bypass(const Endpoint& upstream) const;
  [[nodiscard]] bool may_use_wire(const Endpoint& upstream) const;
  [[nodiscard]] std::unique_ptr<KernelRelay> take(const SocketPair& pair);
  void prepare(int fd, const Endpoint& address);
  void set_bytes(const RelayResult& result);
  void count_path(const RelayResult& result);
  void finish();

  Worker& worker_;
  SnapshotPointer snapshot_;
  ProxyListener listener_;
  std::unique_ptr<Channel> client_;
  Task<> task_;
  FirstFlight flight_;
  ReachedUpstream upstream_;
  const Route* route_ = nullptr;
  std::unique_ptr<Relay> relay_;
  ConnectionRecord record_;
  Clock::time_point accepted_;
  std::uint64_t own_bytes_ = 0;  ///< that the relay sends before the client's: a PROXY header
  std::uint64_t reported_received_ = 0;
  std::uint64_t reported_sent_ = 0;
  bool entered_ = false;  ///< counted among those of its client
  ProxyForwarding kernel_path_ = ProxyForwarding::copy;
};

}  // namespace sonde::proxy
