// SPDX-License-Identifier: Apache-2.0
// xdp_ip_filter: packets to the proxy's listeners from addresses that the client allow list does not name are dropped
// at the driver. Nothing else is looked at: ssh, replies of upstreams and every other port pass.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/proxy.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Attached as long as it lives; gone when the process dies.
class ClientFilter {
 public:
  struct Interface {
    std::string name;
    std::string how;  ///< "native XDP", "generic XDP", "tcx", "clsact"
  };
  struct Counts {
    std::uint64_t passed = 0;   ///< to a listener, from an allowed client or of a connection that stands
    std::uint64_t dropped = 0;  ///< to a listener, from another
    std::uint64_t others = 0;   ///< not for a listener
  };

  /// `interfaces`: names; empty: those that the listeners' addresses are on, loopback left out.
  [[nodiscard]] static Result<std::unique_ptr<ClientFilter>> attach(const std::vector<std::string>& interfaces,
                                                                    std::span<const Endpoint> listeners,
                                                                    std::span<const GuardNetwork> clients);
  virtual ~ClientFilter() = default;
  /// Changes both at once, without a moment in between, on the interfaces that were chosen at the start. Connections
  /// that stand go on.
  [[nodiscard]] virtual Result<void> set(std::span<const Endpoint> listeners,
                                         std::span<const GuardNetwork> clients) = 0;
  [[nodiscard]] virtual Result<Counts> counts() const = 0;
  [[nodiscard]] virtual const std::vector<Interface>& interfaces() const = 0;
};

}  // namespace sonde::proxy
