// SPDX-License-Identifier: Apache-2.0
// Many connections with random sizes, pauses, half-closes and aborts, whose bytes are compared at both ends.
#pragma once
#include <string>
#include <vector>

#include "proxied.hpp"

namespace sonde::test {

struct Planned {
  const NetworkNamespace& client;
  const NetworkNamespace& upstream;
  std::string proxy_address;
  std::string proxy_port;
  std::string upstream_address;
  std::string upstream_port;
  int count = 1000;
  int at_once = 40;
  std::string name = "name.test";
  std::string header = {};  ///< PROXY protocol that the upstream gets: "v1", "v2" or none
  bool aborts = true;       ///< false: resets do not get through between the ends (a SOCKS5 server of this test)
};

/// What all connections carried, as the ends counted it.
struct PlannedSums {
  std::uint64_t connections = 0;
  std::uint64_t aborted = 0;
  std::uint64_t sent_by_clients = 0, received_by_upstream = 0;
  std::uint64_t sent_by_upstream = 0, received_by_clients = 0;
};

/// Runs them and compares: every byte of both directions arrived unchanged and in order; both ends of each stream were
/// seen, in their order; who was aborted saw a reset, and what came before it is the beginning of what was sent.
PlannedSums run_planned(const Planned& planned);

}  // namespace sonde::test
