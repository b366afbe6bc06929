// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/domain_addresses.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "actuators/proxy/stats/words.hpp"

namespace sonde::proxy {

void DomainAddresses::add(std::string_view domain, const Endpoint& address) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(domain);
  if (found != index_.end()) {
    domains_.splice(domains_.begin(), domains_, found->second);
  } else {
    if (domains_.size() >= limit_) {
      index_.erase(domains_.back().name);
      domains_.pop_back();
      ++departures_;
    }
    domains_.push_front({.name = std::string(domain), .addresses = {}});
    index_.emplace(domain, domains_.begin());
  }
  Domain& entry = domains_.front();
  const Endpoint key{.address = address.address, .port = 0};
  ++entry.connections;
  if (entry.addresses.size() < addresses_limit_)
    entry.addresses.insert(key);
  else if (!entry.addresses.contains(key))
    ++entry.left_out;
}

DomainAddresses::Snapshot DomainAddresses::snapshot() const {
  Snapshot snapshot;
  {
    const std::lock_guard lock(mutex_);
    snapshot.domains.assign(domains_.begin(), domains_.end());
    snapshot.departures = departures_;
  }
  std::ranges::sort(snapshot.domains, {}, &Domain::name);
  return snapshot;
}

std::size_t DomainAddresses::size() const {
  const std::lock_guard lock(mutex_);
  return domains_.size();
}

std::uint64_t DomainAddresses::departures() const {
  const std::lock_guard lock(mutex_);
  return departures_;
}

std::string domain_file_text(const DomainAddresses::Snapshot& snapshot, std::int64_t now_ns) {
  auto domains = nlohmann::ordered_json::array();
  for (const auto& domain : snapshot.domains) {
    auto addresses = nlohmann::ordered_json::array();
    for (const Endpoint& address : domain.addresses) addresses.push_back(address.address_text());
    domains.push_back({{"domain", domain.name},
                       {"addresses", std::move(addresses)},
                       {"connections", domain.connections},
                       {"connections_to_further_addresses", domain.left_out}});
  }
  const nlohmann::ordered_json file{
      {"written_at", time_text(now_ns)}, {"domains", std::move(domains)}, {"domains_left_out", snapshot.departures}};
  return file.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace sonde::proxy
