// SPDX-License-Identifier: Apache-2.0
#include "detect/scan/contacts.hpp"

#include <algorithm>
#include <cmath>

namespace sonde::detect {

namespace {

constexpr std::size_t most_groups = 4096;
constexpr std::size_t most_contacts = 128;
constexpr std::size_t most_firsts = 16384;
constexpr std::size_t most_sources = 4096;

bool has_failed(Answer answer) { return answer == Answer::none || answer == Answer::refused; }

/// More of what is known already. Gives whether it had failed before and has not now.
bool merge(Contact& known, const Contact& seen, bool is_new_flow) {
  const bool answered_now = has_failed(known.answer) && !has_failed(seen.answer);
  known.answer = std::max(known.answer, seen.answer);
  known.half_open |= seen.half_open;
  known.completed |= seen.completed;
  known.last_ns = std::max(known.last_ns, seen.last_ns);
  known.packets = seen.packets;
  known.bytes = seen.bytes;
  if (is_new_flow && known.tries < 255) ++known.tries;
  return answered_now;
}

Contact& place_for(std::vector<Contact>& contacts) {
  if (contacts.size() < most_contacts) return contacts.emplace_back();
  return *std::ranges::min_element(contacts, {}, &Contact::first_ns);
}

}  // namespace

std::size_t GroupHash::operator()(const GroupKey& key) const {
  const auto rest = std::uint64_t{key.port} << 16 | static_cast<std::uint64_t>(key.method) << 1 | key.by_port;
  return combine(combine(hash_of(key.source), hash_of(key.target)), rest);
}

Contacts::Contacts() : firsts_(most_firsts), groups_(most_groups), spreads_(most_sources) {}

Contacts::Noted Contacts::note(const GroupKey& key, const Contact& contact, bool is_new_flow) {
  if (auto* group = groups_.find(key)) {
    groups_.touch(key);
    const auto known = std::ranges::find(group->contacts, contact.target, &Contact::target);
    if (known != group->contacts.end()) return {.group = group, .answered_now = merge(*known, contact, is_new_flow)};
    place_for(group->contacts) = contact;
    return {.group = group, .is_new = true};
  }
  const auto hash = GroupHash{}(key);
  auto& first = firsts_[hash % firsts_.size()];
  if (first.hash != hash) {
    first = {hash, contact};
    return {.is_new = true};
  }
  if (first.contact.target == contact.target) return {.answered_now = merge(first.contact, contact, is_new_flow)};
  auto& group = groups_.touch(key);
  group.contacts = {first.contact, contact};
  first = {};
  return {.group = &group, .is_new = true};
}

void Spread::failed(std::uint16_t port, std::int64_t wall_ns, std::int64_t window_ns) {
  if (wall_ns - began_ns_ > window_ns) {
    windows_[1] = wall_ns - began_ns_ > 2 * window_ns ? Window{} : windows_[0];
    windows_[0] = {};
    began_ns_ = wall_ns;
  }
  ++windows_[0].failures;
  windows_[0].ports.set(mix(port) % windows_[0].ports.size());
}

void Spread::answered() {
  for (auto& window : windows_)
    if (window.failures > 0) {
      --window.failures;
      return;
    }
}

std::uint64_t Spread::failures() const { return windows_[0].failures + windows_[1].failures; }

std::uint64_t Spread::ports() const {
  const auto bits = windows_[0].ports | windows_[1].ports;
  const auto size = static_cast<double>(bits.size());
  const auto zeros = std::max(1.0, size - static_cast<double>(bits.count()));
  return static_cast<std::uint64_t>(std::llround(size * std::log(size / zeros)));
}

}  // namespace sonde::detect
