// SPDX-License-Identifier: Apache-2.0
// When connections come to the local bypass.
#pragma once
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "actuators/proxy/bypass/connection.hpp"

namespace sonde::proxy {

/// Pairs connections once they have lived for a moment, on a thread of its own, from the first one on: until privileges
/// are dropped the process must have no other thread.
class BypassPairing {
 public:
  BypassPairing() = default;
  BypassPairing(const BypassPairing&) = delete;
  BypassPairing& operator=(const BypassPairing&) = delete;
  ~BypassPairing() { rest(); }

  /// Ends the thread; the next connection begins another.
  void rest();
  void add(std::shared_ptr<BypassedConnection> connection);

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    std::shared_ptr<BypassedConnection> connection;
    Clock::duration delay;
  };

  void wait(Waiting waiting);
  void run();
  void pair(Waiting next);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, Waiting> waiting_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace sonde::proxy
