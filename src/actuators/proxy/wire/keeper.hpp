// SPDX-License-Identifier: Apache-2.0
// Ends what is over. A connection on the wire needs no process while it lives; the keeper notices that both streams
// have ended, that one side has reset, or that nothing has come for too long, frees the element, and says so.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "actuators/proxy/wire/table.hpp"
#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

enum class WireEndReason : std::uint8_t {
  client_closed,    ///< both streams ended; the client's first
  upstream_closed,  ///< both streams ended; the upstream's first
  client_reset,
  upstream_reset,
  idle,
  half_closed,
  too_old,     ///< WireLimits::max_age
  aborted,     ///< by abort_all()
  port_reused  ///< the client began another connection from the same port
};
[[nodiscard]] const char* wire_end_reason_name(WireEndReason reason);

struct WireEnd {
  WireEndReason reason = WireEndReason::aborted;
  WireEnds ends;
  std::uint64_t bytes_received = 0;  ///< from the client, on the wire
  std::uint64_t bytes_sent = 0;      ///< to the client
  std::uint64_t packets_received = 0, packets_sent = 0;
  std::chrono::nanoseconds since_joined{0};
  std::string record;  ///< as it was written with Table::write_record
};

/// Told on the keeper's thread.
class WireObserver {
 public:
  virtual ~WireObserver() = default;
  /// One that this process did not join: left by an earlier process, or joined by the one that hands over.
  virtual void adopted(std::uint32_t index, const std::string& record) = 0;
  /// Bytes since the last call for it.
  virtual void moved(std::uint32_t index, std::uint64_t bytes_received, std::uint64_t bytes_sent) = 0;
  virtual void ended(std::uint32_t index, const WireEnd& end) = 0;
};

struct WireLimits {
  std::chrono::milliseconds idle{3'600'000};
  std::chrono::milliseconds half_closed{3'600'000};
  std::chrono::milliseconds max_age{0};  ///< 0: none
};

/// A thread that sleeps until a FIN or RST, and walks the table once a second. It works on the connections only while
/// Table::keep(); a process that does not keep hands its sockets over to nobody and holds them until it ends.
class WireKeeper {
 public:
  /// Connections that are there already are adopted: their upstream ports are reserved, and those that an ended process
  /// left TAKEN or JOINING are reset.
  [[nodiscard]] static Result<std::unique_ptr<WireKeeper>> start(Table& table, const WireLimits& limits,
                                                                 WireObserver& observer);
  /// Connections stay on the wire; the sockets, frozen, are closed.
  ~WireKeeper();

  // Any thread.
  void set_limits(const WireLimits& limits);
  /// A connection of this process that is SPLICED now, and its frozen sockets: the client's is closed soon, the
  /// upstream's is held as long as the connection is, so that its port is. `observed`: the observer knows it; else it
  /// is adopted() by the process that keeps.
  void add(std::uint32_t index, Fd client, Fd upstream, bool observed = true);
  /// Whether this process keeps the table now.
  [[nodiscard]] bool keeps() const;
  /// moved() for all connections until now, before this returns.
  void report();
  /// Resets both sides of every connection, and waits until they are free, some seconds. How many there were; 0:
  /// another process keeps the table.
  std::uint32_t abort_all();
  /// Another process keeps the table from now on; sockets are held still.
  void stand_back();
  /// Connections on the wire that are not over, whoever keeps them.
  [[nodiscard]] std::uint32_t count() const;

 private:
  struct State;
  explicit WireKeeper(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde::proxy
