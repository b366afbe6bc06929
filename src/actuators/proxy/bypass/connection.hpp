// SPDX-License-Identifier: Apache-2.0
// One connection on the local bypass.
#pragma once
#include <cstdint>
#include <mutex>

#include "actuators/proxy/bypass/programs.hpp"

namespace sonde::proxy {

/// A connection that is, or will be, in CONNECTION_MAP. Belongs to the worker's relay and to the thread that pairs.
class BypassedConnection {
 public:
  BypassedConnection(const BypassPrograms& programs, const sonde_bypass_pair& request, const SocketPair& sockets)
      : programs_(programs), request_(request), client_fd_(sockets.client_fd), upstream_fd_(sockets.upstream_fd) {}

  /// True: ask again later.
  bool try_pair();
  /// The relay is over.
  void end();
  /// It was not accepted, or did not stop to block, in time.
  void give_up();
  [[nodiscard]] Carried carried();

 private:
  enum class Stage : std::uint8_t { waiting, paired, declined, ended };

  void decline(__u64 sonde_bypass_connections::*counter);
  [[nodiscard]] std::uint64_t bytes(const sonde_bypass_socket& sender) const;

  const BypassPrograms& programs_;
  const sonde_bypass_pair request_;
  const int client_fd_;  ///< open until end()
  const int upstream_fd_;
  std::mutex mutex_;
  Stage stage_ = Stage::waiting;
  int pairing_ = SONDE_BYPASS_NOT_ACCEPTED;  ///< the last answer
};

}  // namespace sonde::proxy
