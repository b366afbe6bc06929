// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/attachment.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include "base/fd.hpp"
#include "kernel/attach.hpp"
#include "kernel/interfaces.hpp"
#include "kernel/permanent_filter.hpp"
#include "kernel/pins.hpp"

namespace sonde::proxy {
namespace {

using kernel::InterfaceInfo;
using Interfaces = std::vector<InterfaceInfo>;

// Behind all others: what a firewall drops or somebody redirects is not forwarded, and who counts packets sees them.
constexpr kernel::FilterIdentity left_filter{.handle = 0x77697265 /* "wire" */,
                                             .priority = kernel::last_filter_priority};
// Of one that pins nothing, so that it is never taken for the other.
constexpr kernel::FilterIdentity own_filter{.handle = 0x74727279 /* "try" */, .priority = kernel::last_filter_priority};

constexpr std::string_view pin_prefix = "link-";
constexpr auto ingress = kernel::TcDirection::ingress;

std::string pin_path(const std::string& directory, std::uint32_t ifindex) {
  return directory + "/" + std::string(pin_prefix) + std::to_string(ifindex);
}

std::vector<std::uint32_t> pinned_interfaces(const std::string& directory) {
  std::vector<std::uint32_t> found;
  DIR* const open = ::opendir(directory.c_str());
  if (open == nullptr) return found;
  while (const dirent* const entry = ::readdir(open)) {
    const std::string_view name = entry->d_name;
    std::uint32_t ifindex = 0;
    if (!name.starts_with(pin_prefix)) continue;
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + pin_prefix.size(), end, ifindex);
    if (error == std::errc{} && rest == end) found.push_back(ifindex);
  }
  ::closedir(open);
  return found;
}

const InterfaceInfo* find(const Interfaces& all, std::uint32_t ifindex) {
  const auto found = std::ranges::find(all, ifindex, &InterfaceInfo::ifindex);
  return found == all.end() ? nullptr : &*found;
}

// What a member of a bridge, bond or team receives comes to the IP stack by the master, if it comes at all; what a
// member of a VRF receives comes by itself.
bool hands_to_the_stack(const Interfaces& all, const InterfaceInfo& interface) {
  if (interface.loopback) return false;
  if (interface.master == 0) return true;
  const auto* const master = find(all, interface.master);
  return master != nullptr && master->kind == "vrf";
}

// One that is detached or whose interface has gone is off already.
void take_off(int link_fd) {
  const auto facts = kernel::link_facts(link_fd);
  if (facts && facts->ifindex != 0) (void)kernel::detach_link(link_fd);
}

Result<void> remove_pinned(const std::string& directory, std::uint32_t ifindex) {
  const auto path = pin_path(directory, ifindex);
  if (const auto link = kernel::open_pin(path); link && *link) take_off(link->get());
  return kernel::remove_pin(path);
}

}  // namespace

struct Attachment::State {
  Fd for_ethernet, for_raw_ip;  // the programs
  Fd folder;                    // who has dropped privileges may not walk the way to it any more
  std::string directory;        // by way of `folder`; empty: nothing is pinned
  kernel::InterfaceWatcher watcher;
  bool first = true;   // an earlier process may have left something
  bool again = false;  // an interface failed
  std::vector<Interface> interfaces;
  std::map<std::uint32_t, kernel::Link> links;

  [[nodiscard]] bool is_permanent() const { return !directory.empty(); }
  [[nodiscard]] kernel::FilterIdentity filter() const { return is_permanent() ? left_filter : own_filter; }
  Result<void> renew();
  Result<void> keep_on(const InterfaceInfo& interface);
  void forget_gone(const Interfaces& all);
  void leave(std::uint32_t ifindex);
  [[nodiscard]] bool is_on(std::uint32_t ifindex) const;
  Result<kernel::Link> attach(const InterfaceInfo& interface);
  Result<kernel::Link> attach_tcx(int program, std::uint32_t ifindex);
  Result<kernel::Link> attach_clsact(int program, std::uint32_t ifindex);
};

Result<kernel::Link> Attachment::State::attach_tcx(int program, std::uint32_t ifindex) {
  const auto path = is_permanent() ? pin_path(directory, ifindex) : std::string();
  if (is_permanent()) {
    auto pinned = kernel::open_pin(path);
    if (!pinned) return std::unexpected(pinned.error());
    const auto facts = *pinned ? kernel::link_facts(pinned->get()) : Result<kernel::LinkFacts>();
    if (*pinned && facts && facts->ifindex == ifindex) {
      if (auto updated = kernel::update_link(pinned->get(), program); !updated) return std::unexpected(updated.error());
      return kernel::Link("tcx", std::move(*pinned));
    }
    if (auto removed = kernel::remove_pin(path); !removed) return std::unexpected(removed.error());
  }
  auto link = kernel::attach_tcx(program, ifindex, ingress, kernel::TcPosition::last);
  if (link && is_permanent())
    if (auto pinned = kernel::pin(link->fd(), path); !pinned) return std::unexpected(pinned.error());
  return link;
}

Result<kernel::Link> Attachment::State::attach_clsact(int program, std::uint32_t ifindex) {
  if (auto set = kernel::set_permanent_filter(program, ifindex, ingress, filter()); !set)
    return std::unexpected(set.error());
  if (is_permanent()) return kernel::Link("clsact", Fd());
  return kernel::Link("clsact", [ifindex] { (void)kernel::remove_permanent_filter(ifindex, ingress, own_filter); });
}

Result<kernel::Link> Attachment::State::attach(const InterfaceInfo& interface) {
  const int program = (interface.link_type == LinkType::raw_ip ? for_raw_ip : for_ethernet).get();
  auto link = attach_tcx(program, interface.ifindex);
  // Kernels before 6.6 do not know the type.
  if (!link && link.error().code == EINVAL) return attach_clsact(program, interface.ifindex);
  return link;
}

// Not if somebody has removed it, or the interface has been in another network namespace.
bool Attachment::State::is_on(std::uint32_t ifindex) const {
  const auto link = links.find(ifindex);
  if (link == links.end()) return false;
  if (link->second.fd() < 0) return kernel::has_permanent_filter(ifindex, ingress, filter());
  const auto facts = kernel::link_facts(link->second.fd());
  return facts && facts->ifindex == ifindex;
}

void Attachment::State::leave(std::uint32_t ifindex) {
  const auto link = links.find(ifindex);
  if (link != links.end()) {
    if (link->second.fd() >= 0) take_off(link->second.fd());
    links.erase(link);
  }
  if (!is_permanent()) return;
  (void)remove_pinned(directory, ifindex);
  (void)kernel::remove_permanent_filter(ifindex, ingress, left_filter);
}

Result<void> Attachment::State::keep_on(const InterfaceInfo& interface) {
  Interface entry{.ifindex = interface.ifindex, .name = interface.name, .hook = {}, .failure = {}};
  if (!is_on(interface.ifindex)) {
    links.erase(interface.ifindex);
    auto link = attach(interface);
    if (!link && link.error().code == ENODEV) return {};  // gone since it was listed
    if (link) {
      links.emplace(interface.ifindex, std::move(*link));
    } else {
      entry.failure = link.error().text();
      interfaces.push_back(std::move(entry));
      Error error = link.error();
      error.message = interface.name + ": " + error.message;
      return std::unexpected(std::move(error));
    }
  }
  entry.hook = links.at(interface.ifindex).hook();
  interfaces.push_back(std::move(entry));
  return {};
}

void Attachment::State::forget_gone(const Interfaces& all) {
  std::vector<std::uint32_t> gone;
  if (is_permanent()) gone = pinned_interfaces(directory);
  for (const auto& [ifindex, link] : links) gone.push_back(ifindex);
  for (const auto ifindex : gone)
    if (find(all, ifindex) == nullptr) leave(ifindex);
}

Result<void> Attachment::State::renew() {
  const auto all = kernel::list_interfaces();
  if (!all) return std::unexpected(all.error());
  Result<void> result;
  interfaces.clear();
  for (const auto& interface : *all) {
    if (!hands_to_the_stack(*all, interface)) {
      if (first || links.contains(interface.ifindex)) leave(interface.ifindex);
    } else if (auto kept = keep_on(interface); !kept) {
      result = kept;
    }
  }
  forget_gone(*all);
  first = false;
  again = !result;
  return result;
}

Attachment::Attachment(std::unique_ptr<State> state) : state_(std::move(state)) {}
Attachment::~Attachment() = default;

Result<std::unique_ptr<Attachment>> Attachment::make(const WirePrograms& programs, const std::string& directory) {
  auto watcher = kernel::InterfaceWatcher::make();
  if (!watcher) return std::unexpected(watcher.error());
  auto state = std::make_unique<State>(State{.for_ethernet = Fd(::fcntl(programs.ethernet_fd, F_DUPFD_CLOEXEC, 0)),
                                             .for_raw_ip = Fd(::fcntl(programs.raw_ip_fd, F_DUPFD_CLOEXEC, 0)),
                                             .folder = {},
                                             .directory = {},
                                             .watcher = std::move(*watcher),
                                             .interfaces = {},
                                             .links = {}});
  if (!state->for_ethernet || !state->for_raw_ip) return fail_errno("cannot duplicate the descriptor of a program");
  if (!directory.empty()) {
    state->folder.reset(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!state->folder) return fail_errno("cannot open " + directory);
    state->directory = "/proc/self/fd/" + std::to_string(state->folder.get());
  }
  if (auto renewed = state->renew(); !renewed) return std::unexpected(renewed.error());
  return std::unique_ptr<Attachment>(new Attachment(std::move(state)));
}

void Attachment::follow() {
  if (state_->watcher.changed() || state_->again) (void)state_->renew();
}

const std::vector<Attachment::Interface>& Attachment::interfaces() const { return state_->interfaces; }

Result<void> Attachment::remove(const std::string& directory) {
  Result<void> result;
  for (const auto ifindex : pinned_interfaces(directory))
    if (auto removed = remove_pinned(directory, ifindex); !removed) result = removed;
  const auto all = kernel::list_interfaces();
  if (!all) return std::unexpected(all.error());
  for (const auto& interface : *all)
    if (auto removed = kernel::remove_permanent_filter(interface.ifindex, ingress, left_filter); !removed)
      result = removed;
  return result;
}

}  // namespace sonde::proxy
