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

WindowCount::Turn WindowCount::add(std::int64_t wall_ns, std::int64_t window_ns) {
  auto turn = Turn::same;
  if (wall_ns - began_ns_ > window_ns) {
    turn = wall_ns - began_ns_ > 2 * window_ns ? Turn::lapsed : Turn::next;
    counts_ = {0, turn == Turn::next ? counts_[0] : 0};
    began_ns_ = wall_ns;
  }
  ++counts_[0];
  return turn;
}

void WindowCount::take_back() {
  for (auto& count : counts_)
    if (count > 0) {
      --count;
      return;
    }
}

void Spread::failed(const Address& target, std::int64_t wall_ns, std::int64_t window_ns) {
  const auto turn = failures_.add(wall_ns, window_ns);
  if (turn != WindowCount::Turn::same) {
    targets_[1] = turn == WindowCount::Turn::next ? targets_[0] : std::bitset<2048>();
    targets_[0].reset();
  }
  targets_[0].set(hash_of(target) % targets_[0].size());
}

std::uint64_t Spread::targets() const {
  const auto bits = targets_[0] | targets_[1];
  const auto size = static_cast<double>(bits.size());
  const auto zeros = std::max(1.0, size - static_cast<double>(bits.count()));
  return static_cast<std::uint64_t>(std::llround(size * std::log(size / zeros)));
}

}  // namespace sonde::detect
