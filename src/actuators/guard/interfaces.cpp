// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/interfaces.hpp"

#include <net/if.h>

#include <algorithm>
#include <array>

#include "actuators/guard/hooks.hpp"

namespace sonde::guard {

std::vector<GuardInterface> guarded_interfaces(const std::string& directory) {
  std::vector<GuardInterface> interfaces;
  for (const auto& hook : read_hooks(directory)) {
    if (interfaces.empty() || interfaces.back().ifindex != hook.ifindex) {
      std::array<char, IF_NAMESIZE> name{};
      const bool there = !hook.gone && ::if_indextoname(hook.ifindex, name.data()) != nullptr;
      auto& interface = interfaces.emplace_back();
      interface.name = there ? name.data() : "";
      interface.ifindex = hook.ifindex;
      interface.gone = !there;
    }
    (hook.kind->side == Side::receive ? interfaces.back().receive : interfaces.back().send) = hook.kind->name;
  }
  return interfaces;
}

std::vector<std::string> guarded_names(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& interface : guarded_interfaces(directory))
    if (!interface.gone) names.push_back(interface.name);
  return names;
}

}  // namespace sonde::guard
