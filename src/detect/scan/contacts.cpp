// SPDX-License-Identifier: Apache-2.0
#include "detect/scan/contacts.hpp"

#include <algorithm>
#include <cmath>

namespace sonde::detect {

namespace {

constexpr std::size_t most_groups = 4096;
constexpr std::size_t most_contacts = 128;
constexpr std::int64_t least_stay_ns = 10'000'000'000;
constexpr std::size_t most_firsts = 16384;
constexpr std::size_t most_sources = 4096;
constexpr std::size_t most_forgotten = 128;

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

}  // namespace

std::size_t GroupHash::operator()(const GroupKey& key) const {
  const auto rest = std::uint64_t{key.port} << 16 | static_cast<std::uint64_t>(key.method) << 1 | key.by_port;
  return combine(combine(hash_of(key.source), hash_of(key.target)), rest);
}

void Probed::add(const Contact& contact) {
  ports.add(contact.target.port);
  targets.add(hash_of(contact.target.address));
  contacts.add(hash_of(contact.target));
}

std::uint64_t Probed::pairs() const {
  if (targets.count() == 1) return ports.count();
  return ports.count() == 1 ? targets.count() : contacts.count();
}

Contacts::Contacts(std::int64_t window_ns)
    : window_ns_(window_ns),
      firsts_(most_firsts),
      groups_(most_groups),
      forgotten_(most_forgotten),
      spreads_(most_sources) {}

void Contacts::forget(const GroupKey& key, const Contact& contact) {
  auto& probed = forgotten_.touch(key);
  if (contact.first_ns - probed.first_ns > window_ns_) {
    probed = {};
    probed.first_ns = contact.first_ns;
  }
  probed.add(contact);
  probed.refused += contact.answer == Answer::refused;
  probed.open += contact.answer >= Answer::open;
}

/// A full group's contacts have to wait for their answers (scan.host_wait), however fast others come: the oldest gives
/// way when it is old enough, else the new one is only counted.
void Contacts::keep(const GroupKey& key, Group& group, const Contact& contact) {
  if (group.contacts.size() < most_contacts) {
    group.contacts.push_back(contact);
    return;
  }
  auto& oldest = *std::ranges::min_element(group.contacts, {}, &Contact::first_ns);
  const bool gives_way = contact.first_ns - oldest.first_ns >= least_stay_ns;
  forget(key, gives_way ? oldest : contact);
  if (gives_way) oldest = contact;
}

Contacts::Noted Contacts::note(const GroupKey& key, const Contact& contact, bool is_new_flow) {
  if (auto* group = groups_.find(key)) {
    groups_.touch(key);
    const auto known = std::ranges::find(group->contacts, contact.target, &Contact::target);
    if (known != group->contacts.end()) return {.group = group, .answered_now = merge(*known, contact, is_new_flow)};
    keep(key, *group, contact);
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
