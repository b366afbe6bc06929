// SPDX-License-Identifier: Apache-2.0
// Onto interfaces, and off them.
#include <algorithm>
#include <optional>

#include "actuators/guard/cutoff.hpp"
#include "actuators/guard/directory.hpp"
#include "actuators/guard/hooks.hpp"
#include "actuators/guard/interfaces.hpp"
#include "actuators/guard/programs.hpp"
#include "actuators/guard/session.hpp"
#include "kernel/interfaces.hpp"

namespace sonde::guard {
namespace {

using Interfaces = std::vector<kernel::InterfaceInfo>;

Result<kernel::InterfaceInfo> find_interface(const Interfaces& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &kernel::InterfaceInfo::name);
  if (found != all.end()) return *found;
  std::string names;
  for (const auto& interface : all) names += (names.empty() ? "" : ", ") + interface.name;
  return fail(ErrorKind::usage, "-i '" + name + "': no such interface; there are " + names);
}

Result<Interfaces> wanted_interfaces(const Interfaces& all, const std::vector<std::string>& names) {
  if (names.empty()) {
    const auto ifindex = kernel::default_route_interface();
    if (!ifindex) return std::unexpected(ifindex.error());
    const auto found = std::ranges::find(all, *ifindex, &kernel::InterfaceInfo::ifindex);
    if (found != all.end()) return Interfaces{*found};
    return fail(ErrorKind::usage, "-i: there is no default route to tell the interface; expected -i NAME");
  }
  Interfaces wanted;
  for (const auto& name : names) {
    auto interface = find_interface(all, name);
    if (!interface) return std::unexpected(interface.error());
    wanted.push_back(*interface);
  }
  return wanted;
}

const kernel::InterfaceInfo* by_index(const Interfaces& all, std::uint32_t ifindex) {
  const auto found = std::ranges::find(all, ifindex, &kernel::InterfaceInfo::ifindex);
  return found == all.end() ? nullptr : &*found;
}

// Hooks whose interface has gone are let go of, the others get the new programs.
Result<void> renew_hooks(const std::string& directory, const kernel::Object& programs, const Interfaces& all) {
  for (const auto& hook : read_hooks(directory)) {
    const auto* interface = by_index(all, hook.ifindex);
    const bool gone = hook.gone || interface == nullptr;
    auto done = gone ? release_hook(directory, hook) : renew_hook(directory, programs, *interface, hook);
    if (!done) return done;
  }
  return {};
}

Result<void> check_rules(const std::string& directory, const Interfaces& wanted, bool force) {
  auto installed = InstalledRules::open(directory);
  if (!installed) return std::unexpected(installed.error());
  if (force) return {};
  const auto clocks = Clocks::now();
  const auto rules = installed->rules(clocks);
  if (!rules) return std::unexpected(rules.error());
  auto names = guarded_names(directory);
  for (const auto& interface : wanted) names.push_back(interface.name);
  return refuse_cut_off(find_cut_off(rules->rules, work_connections(), names, clocks.wall_ns));
}

// Takes back what was taken for an interface that could not be taken whole.
void release_interface(const std::string& directory, std::uint32_t ifindex, const std::vector<Hook>& before) {
  const auto was_there = [&](const Hook& hook) {
    return std::ranges::any_of(before,
                               [&](const Hook& old) { return old.ifindex == ifindex && old.kind == hook.kind; });
  };
  for (const auto& hook : read_hooks(directory))
    if (hook.ifindex == ifindex && !was_there(hook)) (void)release_hook(directory, hook);
}

Result<void> attach_all(const std::string& directory, const GuardAttachOptions& options, const Interfaces& all,
                        const Interfaces& wanted, std::vector<std::string>& notices) {
  auto programs = load_programs(directory);
  if (!programs) return std::unexpected(programs.error());
  if (auto checked = check_rules(directory, wanted, options.force); !checked) return checked;
  if (auto renewed = renew_hooks(directory, *programs, all); !renewed) return renewed;
  for (const auto& interface : wanted) {
    const auto before = read_hooks(directory);
    auto taken = take_hooks(directory, *programs, interface, options.mode, notices);
    if (taken) continue;
    release_interface(directory, interface.ifindex, before);
    return taken;
  }
  return {};
}

Result<void> attach_locked(const std::string& directory, const GuardAttachOptions& options,
                           std::vector<std::string>& notices) {
  const auto all = kernel::list_interfaces();
  if (!all) return std::unexpected(all.error());
  // Nobody was told to be somewhere else: those that are guarded get the new programs.
  if (options.interfaces.empty() && !guarded_names(directory).empty())
    return attach_all(directory, options, *all, {}, notices);
  const auto wanted = wanted_interfaces(*all, options.interfaces);
  if (!wanted) return std::unexpected(wanted.error());
  // Without hooks, what is here was left by a detach or an attach that was killed. A hook whose interface has gone is
  // still one: when it comes back, its rules are there.
  if (read_hooks(directory).empty())
    if (auto removed = remove_pins(directory); !removed) return removed;
  return attach_all(directory, options, *all, *wanted, notices);
}

Result<bool> detach_some(const std::string& directory, const std::vector<std::string>& names) {
  const auto all = kernel::list_interfaces();
  if (!all) return std::unexpected(all.error());
  bool any = false;
  for (const auto& name : names) {
    const auto interface = find_interface(*all, name);
    if (!interface) return std::unexpected(interface.error());
    for (const auto& hook : read_hooks(directory)) {
      if (hook.ifindex != interface->ifindex) continue;
      if (auto released = release_hook(directory, hook); !released) return std::unexpected(released.error());
      any = true;
    }
  }
  return any;
}

Result<void> detach_whole(const std::string& directory) {
  for (const auto& hook : read_hooks(directory))
    if (auto released = release_hook(directory, hook); !released) return released;
  return remove_directory(directory);
}

}  // namespace

Result<std::vector<GuardInterface>> attach(const std::string& directory, const GuardAttachOptions& options) {
  if (auto known = check_mode(options.mode); !known) return std::unexpected(known.error());
  const auto lock = lock_directory(directory, true);
  if (!lock) return std::unexpected(lock.error());
  remove_abandoned(directory);
  std::vector<std::string> notices;
  const auto attached = attach_locked(directory, options, notices);
  if (!attached) {
    if (read_hooks(directory).empty()) (void)remove_directory(directory);
    return std::unexpected(attached.error());
  }
  auto interfaces = guarded_interfaces(directory);
  for (auto& interface : interfaces)
    for (const auto& notice : notices)
      if (notice.starts_with(interface.name + ": "))
        interface.notices.push_back(notice.substr(interface.name.size() + 2));
  return interfaces;
}

Result<bool> detach(const std::string& directory, const std::vector<std::string>& interfaces) {
  const auto lock = lock_directory(directory, false);
  if (!lock) return std::unexpected(lock.error());
  if (!*lock) return false;
  if (interfaces.empty()) {
    if (auto done = detach_whole(directory); !done) return std::unexpected(done.error());
    return true;
  }
  auto any = detach_some(directory, interfaces);
  if (any && read_hooks(directory).empty())
    if (auto done = remove_directory(directory); !done) return std::unexpected(done.error());
  return any;
}

}  // namespace sonde::guard
