// SPDX-License-Identifier: Apache-2.0
// What the keeper does with the table, without its thread: one call at a time.
#pragma once
#include <cstdint>
#include <vector>

#include "actuators/proxy/wire/keeper.hpp"

namespace sonde::proxy {

class KeeperWalk {
 public:
  KeeperWalk(Table& table, WireObserver& observer) : table_(table), observer_(observer) {}

  /// Before this process joins any: what says that it is this process's is of an earlier one with the same number.
  void begin();
  /// Frozen sockets of a connection of this process, by its id. `observed`: the observer knows it.
  void hold(std::uint32_t index, std::uint64_t id, Fd client, Fd upstream, bool observed);
  /// Every element. `keeps`: it ends what is over; else only sockets that nobody needs any more are closed.
  void walk(const WireLimits& limits, bool keeps);
  /// One element that has changed.
  void look(std::uint32_t index, const WireLimits& limits);
  /// Tries again to hold the ends of adopted connections: until the process that they were of has ended, its sockets
  /// do. Stops after so many that are not to be had. False: all are held.
  bool reserve(std::uint32_t failures_at_most);
  /// Resets all that are SPLICED but for those that are being handed over. How many there were.
  std::uint32_t abort_all();

 private:
  // Of an element; `id` is the connection's.
  struct Tracked {
    std::uint64_t id = 0;
    std::uint64_t over_since = 0;  ///< CLOCK_MONOTONIC, ns; 0: it goes on
    WireEndReason reason = WireEndReason::aborted;
    bool observed = false;         ///< the observer knows it
    bool stale = false;            ///< its owner had the number of this process, and has ended
    bool suspected = false;        ///< nobody was seen to own it
    bool unreserved = false;       ///< no socket holds the upstream's ends
    bool reset[2] = {true, true};  ///< by enum sonde_wire_side: nothing is left to be done to this peer
    Fd client, upstream;
  };

  [[nodiscard]] Tracked& tracked(std::uint32_t index);
  [[nodiscard]] Tracked* known(std::uint32_t index);
  void keep_element(std::uint32_t index, const WireLimits& limits);
  void keep_spliced(std::uint32_t index, Tracked& mine, const WireLimits& limits);
  void keep_owned(std::uint32_t index, const WireLimits& limits);
  [[nodiscard]] bool is_own(std::uint32_t index, const Tracked& mine) const;
  void adopt(std::uint32_t index, Tracked& mine);
  void count(std::uint32_t index);
  void tell_end(std::uint32_t index, Tracked& mine, WireEndReason reason);
  void abort(std::uint32_t index, Tracked& mine);
  void reset_peers(std::uint32_t index, Tracked& mine);
  void finish(std::uint32_t index, Tracked& mine);
  void release_sockets(std::uint32_t index);

  Table& table_;
  WireObserver& observer_;
  std::vector<Tracked> tracked_;
  std::uint32_t next_to_reserve_ = 0;
  std::uint32_t unreserved_ = 0;
  std::uint64_t now_ = 0;
};

}  // namespace sonde::proxy
