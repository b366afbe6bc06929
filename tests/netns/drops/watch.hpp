// SPDX-License-Identifier: Apache-2.0
// The drops sensor beside the traffic of a test.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/netns.hpp"
#include "sonde/drop.hpp"
#include "sonde/filter.hpp"
#include "sonde/loss.hpp"

namespace sonde::test {

struct WatchOptions {
  FilterOptions filter;
  OwnerFilter owners;
  std::size_t buffer_bytes = 4 * 1024 * 1024;
};

struct SeenDrops {
  std::vector<Drop> drops;  ///< of the host: other programs have traffic too
  LossReport loss;

  /// Those in this namespace, and with this reason if one is given.
  [[nodiscard]] std::vector<Drop> in(const NetworkNamespace& where, const std::string& reason = {}) const;
};

/// What the kernel drops while `traffic` runs, with the rung of harness/owner_hook.hpp. Throws when the sensor does not
/// start.
SeenDrops watch_drops(const std::function<void()>& traffic, const WatchOptions& options = {});

/// Inode number of the namespace.
std::uint32_t inode_of(const NetworkNamespace& where);

/// A line each, for messages of failed tests.
std::string lines_of(const std::vector<Drop>& drops);

/// A counter of /proc/net/snmp, snmp6 or netstat of the namespace: "Udp NoPorts", "Ip6 InHdrErrors"; 0: none so named.
std::uint64_t protocol_counter(const NetworkNamespace& where, const std::string& name);

}  // namespace sonde::test
