// SPDX-License-Identifier: Apache-2.0
// A host between two others: friend0 leads to 10.1.0.2 and fd01::2, stranger0 to 10.2.0.2 and fd02::2; it is .1 itself.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actuators/proxy/client_filter/client_filter.hpp"
#include "base/fd.hpp"
#include "harness/netns.hpp"

namespace sonde::test {

/// "10.1.0.2", "fd01::2".
Endpoint endpoint(const std::string& address, std::uint16_t port);
/// "10.1.0.0/16".
std::vector<GuardNetwork> networks(const std::vector<std::string>& words);

/// Of a namespace; connections complete without accept().
Fd listen_in(const NetworkNamespace& where, const std::string& address, std::uint16_t port);
/// Null if it is not there within half a second. From `source` if it is not empty.
Fd connect_from(const NetworkNamespace& where, const std::string& address, std::uint16_t port,
                const std::string& source = "");
bool connects(const NetworkNamespace& where, const std::string& address, std::uint16_t port,
              const std::string& source = "");
/// The next connection of a listener; recv() on it waits three seconds at most.
Fd accept_from(const Fd& listener);

/// A counter of TCP in /proc/net/snmp.
std::uint64_t tcp_counter(const NetworkNamespace& where, const std::string& name);

struct FilteredHost {
  NetworkNamespace host{NetworkNamespace::Ipv6::on};
  NetworkNamespace ally{NetworkNamespace::Ipv6::on};
  NetworkNamespace stranger{NetworkNamespace::Ipv6::on};

  FilteredHost();
  /// On the interfaces of the host.
  std::unique_ptr<proxy::ClientFilter> filter(const std::vector<std::string>& interfaces,
                                              const std::vector<Endpoint>& listeners,
                                              const std::vector<std::string>& clients) const;
};

}  // namespace sonde::test
