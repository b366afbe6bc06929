// SPDX-License-Identifier: Apache-2.0
// What the maps of the client filter say, from what the configuration says.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "actuators/proxy/client_filter/client_filter.abi.h"
#include "sonde/endpoint.hpp"
#include "sonde/guard.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

struct FilterEntry {
  sonde_client_filter_key key{};
  std::uint32_t value = 0;  ///< enum sonde_client_filter_entry
};

/// Of IP_WHITELIST. No clients: everybody is one. An IPv6 wildcard stands for IPv6 addresses only, as listeners of the
/// proxy do (IPV6_V6ONLY).
[[nodiscard]] Result<std::vector<FilterEntry>> filter_entries(std::span<const Endpoint> listeners,
                                                              std::span<const GuardNetwork> clients);

/// All bits zero: the address that stands for every address of its family.
[[nodiscard]] bool is_wildcard(const Endpoint& listener);

}  // namespace sonde::proxy
