// SPDX-License-Identifier: Apache-2.0
// What the process knows of connections on the wire: they count as active and among those of their client, and have
// their line in the access log when they are over. What the line says stands in the table from the hand-over on, so
// that the next process can write it.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actuators/proxy/route/upstreams.hpp"
#include "actuators/proxy/server/client_counts.hpp"
#include "actuators/proxy/stats/statistics.hpp"
#include "actuators/proxy/wire/keeper.hpp"
#include "actuators/proxy/wire/table.hpp"
#include "base/fd.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

class WireConnections final : private WireObserver {
 public:
  /// After privileges are dropped: it starts the keeper's thread. Connections that are there already are adopted. Row
  /// `row` of the statistics is its own.
  [[nodiscard]] static Result<std::unique_ptr<WireConnections>> start(Table& table, const ProxyConfig& config,
                                                                      Statistics& statistics, unsigned row,
                                                                      ClientCounts& client_counts);
  ~WireConnections() override;

  /// Any thread. The connection at this index of the table has been settled, and its sockets are frozen. `record`: with
  /// the bytes that the relay has carried. From now on it is counted here: as active, among those of its client if
  /// `counted_per_client` (ClientCounts::leave() is called when it is over), and of its upstream if there is a group.
  void hand_over(std::uint32_t index, Fd client, Fd upstream, const ConnectionRecord& record, bool counted_per_client,
                 std::shared_ptr<UpstreamGroup> group = {}, std::size_t upstream_index = 0);

  // Any thread.
  /// Timeouts and wire.max_age.
  void set_config(const ProxyConfig& config);
  /// Adds to the statistics what was carried until now.
  void report();
  /// Connections on the wire, whoever keeps them.
  [[nodiscard]] std::uint32_t count() const;
  /// Of these, those that this process counts as active: all if it keeps the table, none if another does.
  [[nodiscard]] std::uint64_t active() const;
  /// Whether this process keeps them: ends those that are over, and logs them.
  [[nodiscard]] bool keeps() const;
  /// Taken over from earlier processes, since the start.
  [[nodiscard]] std::uint64_t adopted_connections() const;
  /// Resets them all and waits until they are gone. How many there were.
  std::uint32_t abort_all();
  /// Another process keeps them, and counts them from now on.
  void stand_back();

 private:
  struct Held {
    std::uint64_t id = 0;  ///< 0: none
    std::array<std::uint8_t, 16> client{};
    std::shared_ptr<UpstreamGroup> group;
    std::uint32_t upstream_index = 0;
    bool counted_per_client = false;
  };

  WireConnections(Table& table, Statistics& statistics, unsigned row, ClientCounts& client_counts);
  void adopted(std::uint32_t index, const std::string& record) override;
  void moved(std::uint32_t index, std::uint64_t bytes_received, std::uint64_t bytes_sent) override;
  void ended(std::uint32_t index, const WireEnd& end) override;
  void hold(std::uint32_t index, Held held);
  void let_go(Held& held);

  Table& table_;
  Statistics& statistics_;
  unsigned row_;
  ClientCounts& client_counts_;
  mutable std::mutex mutex_;
  std::vector<Held> held_;                        ///< by index of the table
  std::map<std::uint64_t, std::string> records_;  ///< by id: for which the table had no room
  std::uint64_t active_ = 0;
  std::uint64_t adopted_ = 0;
  std::uint32_t most_of_client_ = 0;  ///< limits.connections_per_client
  bool stands_back_ = false;
  std::unique_ptr<WireKeeper> keeper_;
};

}  // namespace sonde::proxy
