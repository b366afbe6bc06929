// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/client_traffic.hpp"

#include <algorithm>
#include <utility>

namespace sonde::proxy {
namespace {

Endpoint without_port(const Endpoint& client) { return {.address = client.address, .port = 0}; }

}  // namespace

Traffic ClientSums::total() const {
  Traffic sum = others;
  for (const ClientEntry& entry : clients) sum += entry.traffic;
  return sum;
}

void ClientSums::sort() {
  std::ranges::sort(clients, [](const ClientEntry& a, const ClientEntry& b) {
    return a.traffic.bytes() != b.traffic.bytes() ? a.traffic.bytes() > b.traffic.bytes() : a.client < b.client;
  });
}

void ClientSums::trim(std::size_t limit) {
  if (clients.size() <= limit) return;
  std::ranges::sort(clients, [](const ClientEntry& a, const ClientEntry& b) {
    return a.last_active != b.last_active ? a.last_active > b.last_active : a.client < b.client;
  });
  for (std::size_t i = limit; i < clients.size(); ++i) others += clients[i].traffic;
  clients.resize(limit);
}

void merge(ClientSums& sums, const ClientSums& more) {
  std::unordered_map<Endpoint, std::size_t, AddressHash> places;
  for (std::size_t i = 0; i < sums.clients.size(); ++i) places.emplace(sums.clients[i].client, i);
  for (const ClientEntry& entry : more.clients) {
    const auto [place, is_new] = places.emplace(entry.client, sums.clients.size());
    if (is_new) {
      sums.clients.push_back(entry);
      continue;
    }
    ClientEntry& known = sums.clients[place->second];
    known.traffic += entry.traffic;
    known.last_active = std::max(known.last_active, entry.last_active);
  }
  sums.others += more.others;
}

void ClientTraffic::make_room() {
  if (entries_.size() < limit_) return;
  const Entry& last = entries_.back();
  others_base_ += last.base;
  others_fresh_ += last.fresh;
  others_saving_ += last.saving;
  ++departures_;
  index_.erase(last.client);
  entries_.pop_back();
}

void ClientTraffic::add(const Endpoint& client, const Traffic& traffic, std::int64_t now_seconds) {
  const Endpoint key = without_port(client);
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) {
    make_room();
    entries_.push_front({.client = key, .base = {}, .fresh = traffic, .saving = {}, .last_active = now_seconds});
    index_.emplace(key, entries_.begin());
    return;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  found->second->fresh += traffic;
  found->second->last_active = now_seconds;
}

ClientSums ClientTraffic::sums() const {
  const std::lock_guard lock(mutex_);
  ClientSums sums;
  for (const Entry& entry : entries_) {
    Traffic all = entry.base;
    all += entry.fresh;
    sums.clients.push_back({.client = entry.client, .traffic = all, .last_active = entry.last_active});
  }
  sums.others = others_base_;
  sums.others += others_fresh_;
  sums.departures = departures_;
  return sums;
}

ClientSums ClientTraffic::begin_save() {
  const std::lock_guard lock(mutex_);
  ClientSums sums;
  for (Entry& entry : entries_) {
    entry.saving = entry.fresh;
    if (entry.fresh != Traffic{})
      sums.clients.push_back({.client = entry.client, .traffic = entry.fresh, .last_active = entry.last_active});
  }
  sums.others = others_saving_ = others_fresh_;
  return sums;
}

void ClientTraffic::settle(const ClientSums& stored) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    entry.fresh -= std::exchange(entry.saving, {});
    entry.base = {};
  }
  others_fresh_ -= std::exchange(others_saving_, {});
  others_base_ = stored.others;
  auto by_activity = stored.clients;
  std::ranges::stable_sort(by_activity, std::ranges::greater{}, &ClientEntry::last_active);
  for (const ClientEntry& entry : by_activity) {
    if (const auto found = index_.find(entry.client); found != index_.end()) {
      found->second->base = entry.traffic;
    } else if (entries_.size() < limit_) {
      entries_.push_back(
          {.client = entry.client, .base = entry.traffic, .fresh = {}, .saving = {}, .last_active = entry.last_active});
      index_.emplace(entry.client, std::prev(entries_.end()));
    } else {
      others_base_ += entry.traffic;
    }
  }
}

}  // namespace sonde::proxy
