// SPDX-License-Identifier: Apache-2.0
// What Statistics keeps beside its counters.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "actuators/proxy/stats/access_log.hpp"
#include "actuators/proxy/stats/client_traffic.hpp"
#include "actuators/proxy/stats/domain_addresses.hpp"
#include "actuators/proxy/stats/state_file.hpp"
#include "actuators/proxy/stats/statistics.hpp"

namespace sonde::proxy {

struct Statistics::Trackers {
  std::unique_ptr<ClientTraffic> clients;    ///< null: not wanted
  std::unique_ptr<DomainAddresses> domains;  ///< null: not wanted
  std::unique_ptr<AccessLog> access_log;     ///< null: not wanted

  std::mutex save_mutex;
  std::optional<StateFile> client_output;
  std::optional<StateFile> client_persistence;
  std::optional<StateFile> domain_output;

  /// How relayed connections ended, by ConnectionRecord::end.
  [[nodiscard]] std::map<std::string, std::uint64_t> ends() const {
    const std::lock_guard lock(ends_mutex);
    return ends_;
  }
  void count_end(const std::string& end) {
    const std::lock_guard lock(ends_mutex);
    ++ends_[end];
  }

 private:
  mutable std::mutex ends_mutex;
  std::map<std::string, std::uint64_t> ends_;
};

}  // namespace sonde::proxy
