// SPDX-License-Identifier: Apache-2.0
// The connections sensor in the background of a test, and what it has told so far.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "harness/netns.hpp"
#include "pipeline/events.hpp"
#include "sensors/events/sensor.hpp"
#include "sonde/connection.hpp"
#include "sonde/filter.hpp"

namespace sonde::test {

/// Inode number of a network namespace, as events name it.
std::uint32_t inode_of(const NetworkNamespace& where);

class Watch {
 public:
  /// Sees the events of these namespaces only: other tests may run beside. The rung is that of harness/owner_hook.hpp.
  /// Throws if the sensor does not start.
  explicit Watch(const std::vector<const NetworkNamespace*>& where, const FilterOptions& filter = {},
                 const OwnerOptions& owner = {});
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  using Matches = std::function<bool(const Connection&)>;
  /// The first event that matches, now or before the time is up.
  std::optional<Connection> find(const Matches& matches, std::chrono::milliseconds patience = std::chrono::seconds{10});
  /// Of a kind, in a namespace.
  std::optional<Connection> find(ConnectionEvent event, const NetworkNamespace& where);
  /// So far.
  std::vector<Connection> events();
  /// Until there are so many; false when the time is up.
  bool wait_for_count(std::size_t count, std::chrono::milliseconds patience = std::chrono::seconds{10});
  /// Ends it and gives all events; after that loss() is final.
  std::vector<Connection> finish();
  /// Does one of the sensor's notices have these words?
  [[nodiscard]] bool has_notice(const std::string& words) const;
  [[nodiscard]] std::vector<LossStage> loss() const { return source_->loss(); }

 private:
  void run();

  std::set<std::uint32_t> namespaces_;
  std::unique_ptr<pipeline::EventSource<Connection>> source_;
  std::mutex mutex_;
  std::vector<Connection> events_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Events with their ends and owners, for messages.
std::string describe(const std::vector<Connection>& connections);

}  // namespace sonde::test
