// SPDX-License-Identifier: Apache-2.0
#include "sensors/packets/watched_interfaces.hpp"

#include <algorithm>
#include <utility>

#include "sensors/packets/packets.hpp"

namespace sonde::packets {

std::string DeviceLoss::note() const {
  if (dropped == 0) return "";
  return "rx_dropped grew by " + std::to_string(dropped) + ": by the driver, or behind our hook";
}

WatchedInterfaces::WatchedInterfaces(const kernel::Object& object, std::vector<std::string> names, AttachOptions attach,
                                     Prepare prepare)
    : names_(std::move(names)),
      prepare_(std::move(prepare)),
      any_(std::ranges::find(names_, "any") != names_.end()),
      attachments_(object, attach) {}

Result<void> WatchedInterfaces::attach(const kernel::InterfaceInfo& interface) {
  if (prepare_) {
    auto prepared = prepare_(interface);
    if (!prepared) return prepared;
  }
  auto done = attachments_.attach(interface);
  if (!done) return done;
  table_.insert_or_assign(interface.ifindex, Interface{interface.name, interface.link_type});
  counters_at_start_.insert_or_assign(interface.ifindex, interface.counters);
  return {};
}

void WatchedInterfaces::tell_attachments() {
  const auto& all = attachments_.notices();
  notices_.insert(notices_.end(), all.begin() + static_cast<std::ptrdiff_t>(told_), all.end());
  told_ = all.size();
}

Result<void> WatchedInterfaces::start() {
  if (any_) {
    auto watcher = kernel::InterfaceWatcher::make();  // before the list, so that nothing slips between
    if (!watcher) return std::unexpected(watcher.error());
    watcher_ = std::move(*watcher);
  }
  auto selected = select_interfaces(names_);
  if (!selected) return std::unexpected(selected.error());
  std::vector<std::string> failures;
  for (const auto& interface : *selected) {
    auto attached = attach(interface);
    if (attached) continue;
    if (!any_) return attached;
    failures.push_back(attached.error().text());
  }
  if (any_ && attachments_.empty() && !failures.empty())
    return fail(ErrorKind::unsupported, "no interface could be attached to: " + failures.front());
  tell_attachments();
  notices_.insert(notices_.end(), failures.begin(), failures.end());
  return {};
}

void WatchedInterfaces::follow() {
  if (!watcher_ || detached_ || !watcher_->changed()) return;
  const auto now = kernel::list_interfaces();
  if (!now) return;
  for (const auto& [ifindex, known] : table_) {
    const auto same = [index = ifindex](const auto& interface) { return interface.ifindex == index; };
    if (!attachments_.contains(ifindex) || std::ranges::any_of(*now, same)) continue;
    attachments_.forget(ifindex);
    gone_.insert(ifindex);  // of a group, the others are still there
  }
  for (const auto& interface : *now) {
    const auto known = table_.find(interface.ifindex);
    if (known != table_.end() && attachments_.contains(interface.ifindex)) {
      known->second.name = interface.name;
      continue;
    }
    auto attached = attach(interface);
    if (!attached) notices_.push_back(attached.error().text());
  }
  tell_attachments();
}

void WatchedInterfaces::detach() {
  attachments_.detach();
  detached_ = true;
}

std::set<std::uint32_t> WatchedInterfaces::take_gone() { return std::exchange(gone_, {}); }

DeviceLoss WatchedInterfaces::device_loss() const {
  DeviceLoss loss;
  const auto now = kernel::list_interfaces();
  if (!now) return loss;
  for (const auto& interface : *now) {
    const auto start = counters_at_start_.find(interface.ifindex);
    if (start == counters_at_start_.end()) continue;
    loss.missed += interface.counters.rx_missed - start->second.rx_missed;
    loss.dropped += interface.counters.rx_dropped - start->second.rx_dropped;
  }
  return loss;
}

std::vector<std::string> in_order(const std::vector<std::string>& interfaces, const std::string& notice,
                                  const std::vector<std::string>& owners, const NoticesAtStart& start) {
  const auto split_interfaces = interfaces.begin() + static_cast<std::ptrdiff_t>(start.interfaces);
  const auto split_owners = owners.begin() + static_cast<std::ptrdiff_t>(start.owners);
  std::vector<std::string> notices(interfaces.begin(), split_interfaces);
  if (!notice.empty()) notices.push_back(notice);
  notices.insert(notices.end(), owners.begin(), split_owners);
  notices.insert(notices.end(), split_interfaces, interfaces.end());
  notices.insert(notices.end(), split_owners, owners.end());
  return notices;
}

}  // namespace sonde::packets
