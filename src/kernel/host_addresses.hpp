// SPDX-License-Identifier: Apache-2.0
// Which addresses are this host's: of the network namespace of the thread that made it.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

using Address = std::array<std::uint8_t, 16>;  // network byte order, IPv4 as ::ffff:a.b.c.d

class HostAddresses {
 public:
  [[nodiscard]] static Result<HostAddresses> make();

  /// Reads them again if the kernel says that they have changed. True: they have. Never blocks for long.
  bool refresh();
  /// All of 127.0.0.0/8 are. Link-local IPv6 addresses are not: they mean something on one interface only.
  [[nodiscard]] bool contains(const Address& address) const;
  /// Without those of 127.0.0.0/8 and link-local ones; sorted.
  [[nodiscard]] const std::vector<Address>& all() const { return addresses_; }

 private:
  HostAddresses(Fd changes, Fd requests) : changes_(std::move(changes)), requests_(std::move(requests)) {}
  Result<void> read();

  Fd changes_;  ///< rtnetlink, told of addresses that come and go
  Fd requests_;
  std::vector<Address> addresses_;
};

}  // namespace sonde::kernel
