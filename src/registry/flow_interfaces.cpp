// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernel/interfaces.hpp"
#include "registry/flows.hpp"

namespace sonde::registry {
namespace {

std::vector<std::string> split(const std::string& word) {
  std::vector<std::string> names;
  std::size_t start = 0;
  for (auto plus = word.find('+'); plus != std::string::npos; plus = word.find('+', start)) {
    names.push_back(word.substr(start, plus - start));
    start = plus + 1;
  }
  names.push_back(word.substr(start));
  return names;
}

Result<std::string> default_interface() {
  const auto ifindex = kernel::default_route_interface();
  if (!ifindex) return std::unexpected(ifindex.error());
  const auto all = kernel::list_interfaces();
  if (!all) return std::unexpected(all.error());
  const auto found = std::ranges::find(*all, *ifindex, &kernel::InterfaceInfo::ifindex);
  return found == all->end() ? "any" : found->name;
}

// An interface may have a "+" in its name: the whole word is looked for first.
bool exists(const std::string& name) {
  const auto all = kernel::list_interfaces();
  return all && std::ranges::find(*all, name, &kernel::InterfaceInfo::name) != all->end();
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

Result<FlowInterfaces> flow_interfaces(const std::vector<std::string>& words) {
  FlowInterfaces result;
  for (const auto& word : words) {
    auto names = word.contains('+') && !exists(word) ? split(word) : std::vector{word};
    for (const auto& name : names) {
      if (name.empty()) return fail(ErrorKind::usage, "-i '" + word + "': expected a name on both sides of +");
      if (name == "any" && names.size() > 1)
        return fail(ErrorKind::usage, "-i '" + word + "': any is all interfaces, each with flows of its own",
                    "expected names joined by +");
      if (contains(result.names, name)) return fail(ErrorKind::usage, "-i '" + word + "': " + name + " is named twice");
      result.names.push_back(name);
    }
    if (names.size() > 1) result.groups.push_back(std::move(names));
  }
  if (!words.empty()) return result;
  auto name = default_interface();
  if (!name) return std::unexpected(name.error());
  result.names.push_back(std::move(*name));
  return result;
}

}  // namespace sonde::registry
