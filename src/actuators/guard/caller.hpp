// SPDX-License-Identifier: Apache-2.0
// The connections that the operator works over.
#pragma once
#include <string>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/guard.hpp"

namespace sonde::guard {

struct WorkConnection {
  Endpoint local;
  Endpoint remote;
  std::string interface;  ///< that has the local address; empty: not known
  bool own = false;       ///< the caller's own; else of somebody else who is logged in

  /// "203.0.113.9:50122 to 192.0.2.1:22"
  [[nodiscard]] std::string text() const;
};

/// SSH connections into this network namespace: the caller's, by SSH_CONNECTION of this process or one that started it
/// (sudo takes it out of the environment), and those of others whose sshd has started something for them. Who has only
/// connected to sshd is nobody to be protected.
[[nodiscard]] std::vector<WorkConnection> work_connections();

/// "203.0.113.9 50122 192.0.2.1 22" (ssh(1), ENVIRONMENT); false: it is not that.
[[nodiscard]] bool parse_ssh_connection(std::string_view words, WorkConnection& connection);

}  // namespace sonde::guard
