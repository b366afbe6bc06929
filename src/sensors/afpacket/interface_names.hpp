// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::afpacket {

struct NamedInterface {
  int index = 0;
  LinkType link = LinkType::ethernet;
};

/// Number and link type of a name; ErrorKind::usage with the names that exist if there is none; ErrorKind::unsupported
/// if its frames are neither Ethernet nor bare IP (Wi-Fi monitor mode, InfiniBand, CAN).
[[nodiscard]] Result<NamedInterface> find_interface(const std::string& name);

/// Interfaces as packets show them. Names are asked from the network namespace of `socket`.
class SeenInterfaces {
 public:
  explicit SeenInterfaces(int socket) : socket_(socket) {}
  /// Adds the interface if it is new.
  void see(std::uint32_t ifindex, LinkType link) {
    if (ifindex != last_) add(ifindex, link);
    last_ = ifindex;
  }
  [[nodiscard]] const InterfaceTable& table() const { return table_; }

 private:
  void add(std::uint32_t ifindex, LinkType link);

  int socket_;
  std::uint32_t last_ = 0;
  InterfaceTable table_;
};

}  // namespace sonde::afpacket
