// SPDX-License-Identifier: Apache-2.0
// Which addresses a name led to.
#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sonde/endpoint.hpp"

namespace sonde::proxy {

/// At most `limit` names and `addresses_limit` addresses each; a new name pushes out the one that was not asked for
/// longest. What did not fit is counted. Any thread.
class DomainAddresses {
 public:
  explicit DomainAddresses(std::size_t limit = 10'000, std::size_t addresses_limit = 64)
      : limit_(limit), addresses_limit_(addresses_limit) {}

  void add(std::string_view domain, const Endpoint& address);

  struct Domain {
    std::string name;
    std::set<Endpoint> addresses;  ///< ports are 0
    std::uint64_t connections = 0;
    std::uint64_t left_out = 0;  ///< connections to addresses beyond the limit
  };
  struct Snapshot {
    std::vector<Domain> domains;  ///< by name
    std::uint64_t departures = 0;
  };
  [[nodiscard]] Snapshot snapshot() const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::uint64_t departures() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Domains = std::list<Domain>;  // asked for last first
  std::size_t limit_;
  std::size_t addresses_limit_;
  mutable std::mutex mutex_;
  Domains domains_;
  std::unordered_map<std::string, Domains::iterator, Hash, std::equal_to<>> index_;
  std::uint64_t departures_ = 0;
};

/// The content of ProxyDomainIps::output_file.
[[nodiscard]] std::string domain_file_text(const DomainAddresses::Snapshot& snapshot, std::int64_t now_ns);

}  // namespace sonde::proxy
