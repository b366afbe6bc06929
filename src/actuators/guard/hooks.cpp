// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/hooks.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "actuators/guard/directory.hpp"
#include "kernel/attach.hpp"
#include "kernel/permanent_filter.hpp"
#include "kernel/pins.hpp"

namespace sonde::guard {
namespace {

// Before the filters of all others.
constexpr kernel::FilterIdentity filter{.handle = 0x736f6e64 /* "sond" */, .priority = kernel::first_filter_priority};

// In the order in which they are tried.
constexpr std::array kinds{
    HookKind{"-xdp-native", "native XDP", "native", Side::receive, true},
    HookKind{"-xdp-generic", "generic XDP", "generic", Side::receive, true},
    HookKind{"-tcx-ingress", "tcx", "tc", Side::receive, true},
    HookKind{"-clsact-ingress", "clsact", "clsact", Side::receive, false},
    HookKind{"-tcx-egress", "tcx", "tc", Side::send, true},
    HookKind{"-clsact-egress", "clsact", "clsact", Side::send, false},
};

bool is_xdp(const HookKind& kind) { return std::string_view(kind.pin).starts_with("-xdp"); }
bool is_tcx(const HookKind& kind) { return std::string_view(kind.pin).starts_with("-tcx"); }

// tc means tcx, else clsact. Sent packets are taken at tc whatever the mode; "clsact" leaves out tcx for both sides.
bool allowed(const HookKind& kind, std::string_view mode, Side side) {
  if (kind.side != side) return false;
  if (mode == "clsact") return !kind.is_link;
  if (mode == "auto" || side == Side::send) return true;
  return mode == kind.mode || (mode == "tc" && !kind.is_link);
}

std::string pin_path(const std::string& directory, std::uint32_t ifindex, const HookKind& kind) {
  return directory + "/" + std::to_string(ifindex) + kind.pin;
}

kernel::TcDirection direction_of(const HookKind& kind) {
  return kind.side == Side::receive ? kernel::TcDirection::ingress : kernel::TcDirection::egress;
}

// Interfaces without a link header have programs of their own, for tc only: XDP sees no such packets.
Result<int> program_for(const kernel::Object& programs, const kernel::InterfaceInfo& interface, const HookKind& kind) {
  if (is_xdp(kind)) return programs.program_fd("guard_xdp");
  const bool raw = interface.link_type == LinkType::raw_ip;
  if (kind.side == Side::receive) return programs.program_fd(raw ? "guard_raw_ingress" : "guard_ingress");
  return programs.program_fd(raw ? "guard_raw_egress" : "guard_egress");
}

Result<kernel::Link> attach_link(const HookKind& kind, int program, std::uint32_t ifindex) {
  if (is_tcx(kind)) return kernel::attach_tcx(program, ifindex, direction_of(kind), kernel::TcPosition::first);
  const bool native = std::string_view(kind.mode) == "native";
  return kernel::attach_xdp(program, ifindex, native ? kernel::XdpMode::native : kernel::XdpMode::generic);
}

// The name is there before the filter is: who is killed between the two leaves a name without a filter, never a filter
// that nobody knows of.
Result<void> take_filter(const std::string& path, const HookKind& kind, int program, std::uint32_t ifindex) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("cannot make " + path);
  auto set = kernel::set_permanent_filter(program, ifindex, direction_of(kind), filter);
  if (!set) ::rmdir(path.c_str());
  return set;
}

Result<void> take(const std::string& directory, const kernel::Object& programs, const kernel::InterfaceInfo& interface,
                  const HookKind& kind) {
  if (is_xdp(kind) && interface.link_type == LinkType::raw_ip)
    return fail(ErrorKind::unsupported, std::string(kind.name) + ": the interface has no Ethernet header");
  const auto program = program_for(programs, interface, kind);
  if (!program) return std::unexpected(program.error());
  const auto path = pin_path(directory, interface.ifindex, kind);
  if (!kind.is_link) return take_filter(path, kind, *program, interface.ifindex);
  auto link = attach_link(kind, *program, interface.ifindex);
  if (!link) return std::unexpected(link.error());
  return kernel::pin(link->fd(), path);
}

Result<void> take_side(const std::string& directory, const kernel::Object& programs,
                       const kernel::InterfaceInfo& interface, const std::string& mode, Side side,
                       std::vector<std::string>& notices) {
  std::string failures;
  Error last;
  for (const auto& kind : kinds) {
    if (!allowed(kind, mode, side)) continue;
    const auto taken = take(directory, programs, interface, kind);
    if (taken) {
      if (!failures.empty())
        notices.push_back(interface.name + ": " + (side == Side::receive ? "in by " : "out by ") + kind.name +
                          ", because " + failures);
      return {};
    }
    last = taken.error();
    failures += (failures.empty() ? "" : "; ") + last.text();
  }
  return fail(last.kind, interface.name + ": " + failures, last.hint, last.code);
}

const HookKind* find_kind(std::string_view suffix) {
  const auto* const found = std::ranges::find(kinds, suffix, &HookKind::pin);
  return found == kinds.end() ? nullptr : found;
}

bool is_gone(const std::string& path, const Hook& hook) {
  if (!hook.kind->is_link) return !kernel::has_permanent_filter(hook.ifindex, direction_of(*hook.kind), filter);
  const auto link = kernel::open_pin(path);
  if (!link || !*link) return true;
  const auto facts = kernel::link_facts(link->get());
  return !facts || facts->ifindex == 0;
}

}  // namespace

std::vector<Hook> read_hooks(const std::string& directory) {
  std::vector<Hook> hooks;
  for (const auto& name : names_in(directory)) {
    Hook hook;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), hook.ifindex);
    if (error != std::errc{}) continue;
    hook.kind = find_kind(rest);
    if (hook.kind == nullptr) continue;
    hook.gone = is_gone(directory + "/" + name, hook);
    hooks.push_back(hook);
  }
  std::ranges::stable_sort(hooks, {}, &Hook::ifindex);
  return hooks;
}

bool all_links_gone(const std::string& directory) {
  const auto hooks = read_hooks(directory);
  return !hooks.empty() && std::ranges::all_of(hooks, [](const Hook& hook) { return hook.kind->is_link && hook.gone; });
}

Result<void> check_mode(const std::string& mode) {
  for (const char* known : {"auto", "native", "generic", "tc", "clsact"})
    if (mode == known) return {};
  return fail(ErrorKind::usage, "--mode '" + mode + "': expected one of auto, native, generic, tc, clsact");
}

Result<void> take_hooks(const std::string& directory, const kernel::Object& programs,
                        const kernel::InterfaceInfo& interface, const std::string& mode,
                        std::vector<std::string>& notices) {
  const auto hooks = read_hooks(directory);
  for (const auto side : {Side::receive, Side::send}) {
    const auto has = std::ranges::find_if(hooks, [&](const Hook& hook) {
      return hook.ifindex == interface.ifindex && hook.kind->side == side && !hook.gone;
    });
    if (has == hooks.end()) {
      auto taken = take_side(directory, programs, interface, mode, side, notices);
      if (!taken) return taken;
    } else if (!allowed(*has->kind, mode, side)) {
      return fail(ErrorKind::failed, "--mode " + mode + ": " + interface.name + " is guarded by " + has->kind->name,
                  "`sonde guard detach -i " + interface.name + "` first");
    }
  }
  return {};
}

Result<void> renew_hook(const std::string& directory, const kernel::Object& programs,
                        const kernel::InterfaceInfo& interface, const Hook& hook) {
  const auto program = program_for(programs, interface, *hook.kind);
  if (!program) return std::unexpected(program.error());
  if (!hook.kind->is_link)
    return kernel::set_permanent_filter(*program, hook.ifindex, direction_of(*hook.kind), filter);
  const auto link = kernel::open_pin(pin_path(directory, hook.ifindex, *hook.kind));
  if (!link) return std::unexpected(link.error());
  return kernel::update_link(link->get(), *program);
}

Result<void> release_hook(const std::string& directory, const Hook& hook) {
  const auto path = pin_path(directory, hook.ifindex, *hook.kind);
  if (hook.kind->is_link) {
    const auto link = kernel::open_pin(path);
    // One whose interface is gone is detached already, which is an error to the kernel.
    if (link && *link && !hook.gone)
      if (auto detached = kernel::detach_link(link->get()); !detached) return detached;
    return kernel::remove_pin(path);
  }
  auto removed = kernel::remove_permanent_filter(hook.ifindex, direction_of(*hook.kind), filter);
  if (removed && ::rmdir(path.c_str()) != 0 && errno != ENOENT) return fail_errno("cannot remove " + path);
  return removed;
}

}  // namespace sonde::guard
