// SPDX-License-Identifier: Apache-2.0
#include "flows/groups.hpp"

#include <sonde/abi/flow.h>

#include <algorithm>

namespace sonde::flows {

std::uint32_t Groups::find(std::uint32_t ifindex, const InterfaceTable& interfaces) const {
  const auto interface = interfaces.find(ifindex);
  if (interface == interfaces.end()) return ifindex;
  for (std::size_t i = 0; i < groups_.size(); ++i)
    if (std::ranges::find(groups_[i], interface->second.name) != groups_[i].end())
      return SONDE_FLOW_GROUP | static_cast<std::uint32_t>(i);
  return ifindex;
}

std::uint32_t Groups::group_of(std::uint32_t ifindex, const InterfaceTable& interfaces) {
  if (groups_.empty()) return ifindex;
  if (ifindex == last_interface_) return last_group_;
  const auto known = by_interface_.find(ifindex);
  last_group_ = known != by_interface_.end() ? known->second : (by_interface_[ifindex] = find(ifindex, interfaces));
  last_interface_ = ifindex;
  return last_group_;
}

std::string Groups::name_of(std::uint32_t group, const InterfaceTable& interfaces) const {
  if ((group & SONDE_FLOW_GROUP) == 0) {
    const auto interface = interfaces.find(group);
    return interface == interfaces.end() ? "if" + std::to_string(group) : interface->second.name;
  }
  std::string joined;
  for (const auto& name : groups_[group & ~SONDE_FLOW_GROUP]) joined += (joined.empty() ? "" : "+") + name;
  return joined;
}

}  // namespace sonde::flows
