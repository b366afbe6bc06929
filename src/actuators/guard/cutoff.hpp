// SPDX-License-Identifier: Apache-2.0
// Would these rules cut off who works on this host? Asked of the model before rules are installed.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "actuators/guard/caller.hpp"
#include "sonde/guard.hpp"

namespace sonde::guard {

struct CutOff {
  std::string rule;        ///< its words
  std::string connection;  ///< WorkConnection::text()
  bool own = false;
  bool later = false;  ///< it goes on, and cannot be opened again once it is closed
};

/// The first connection that the rules would cut off, or not let in again, on one of the guarded interfaces; nothing:
/// there is none. A limit rule cuts nobody off.
[[nodiscard]] std::vector<CutOff> find_cut_off(std::span<const GuardRule> rules,
                                               std::span<const WorkConnection> connections,
                                               std::span<const std::string> interfaces, std::int64_t now_wall_ns);

/// "'block any' would cut off your own connection, ..."
[[nodiscard]] std::string describe(const CutOff& cut_off);
/// An error that names the first of them; nothing if there is none.
[[nodiscard]] Result<void> refuse_cut_off(std::span<const CutOff> cut_off);

}  // namespace sonde::guard
