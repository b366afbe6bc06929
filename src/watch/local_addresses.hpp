// SPDX-License-Identifier: Apache-2.0
// Which addresses are this host's.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sonde/guard.hpp"
#include "sonde/result.hpp"

namespace sonde::watch {

using Address = std::array<std::uint8_t, 16>;  // network byte order, IPv4 as ::ffff:a.b.c.d

class LocalAddresses {
 public:
  /// `networks` are the words of --local. With `interfaces` the addresses of this network namespace's interfaces and
  /// the loopback networks are local too. ErrorKind::usage names the word.
  [[nodiscard]] static Result<LocalAddresses> make(const std::vector<std::string>& networks, bool interfaces);

  /// Reads the interfaces' addresses anew when that was more than five seconds ago. Addresses that cannot be read stay
  /// as they were.
  void refresh_if_old();

  /// False: no address is known to be local or not.
  [[nodiscard]] bool known() const { return interfaces_ || !networks_.empty(); }
  [[nodiscard]] bool contains(const Address& address) const;

 private:
  void read_interfaces();

  std::vector<GuardNetwork> networks_;
  std::vector<Address> addresses_;  ///< of the interfaces, sorted
  bool interfaces_ = false;
  std::chrono::steady_clock::time_point read_at_;
};

}  // namespace sonde::watch
