// SPDX-License-Identifier: Apache-2.0
// Which interfaces have their flows in common.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sonde/packet.hpp"

namespace sonde::flows {

class Groups {
 public:
  /// Names of interfaces, a list a group.
  explicit Groups(std::vector<std::vector<std::string>> groups) : groups_(std::move(groups)) {}

  /// sonde_flow_key.group of a packet's interface.
  [[nodiscard]] std::uint32_t group_of(std::uint32_t ifindex, const InterfaceTable& interfaces);
  /// "eth0"; of a group "eth0+eth1".
  [[nodiscard]] std::string name_of(std::uint32_t group, const InterfaceTable& interfaces) const;

 private:
  [[nodiscard]] std::uint32_t find(std::uint32_t ifindex, const InterfaceTable& interfaces) const;

  std::vector<std::vector<std::string>> groups_;
  std::map<std::uint32_t, std::uint32_t> by_interface_;
  std::uint32_t last_interface_ = 0;
  std::uint32_t last_group_ = 0;
};

}  // namespace sonde::flows
