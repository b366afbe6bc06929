// SPDX-License-Identifier: Apache-2.0
#include "sonde/connection.hpp"

#include <array>

namespace sonde {
namespace {

// In the order of the enums.
constexpr std::array event_names{"opened", "failed", "closed", "open"};
constexpr std::array direction_names{"unknown", "outbound", "inbound"};
constexpr std::array end_names{"none",    "local_fin",       "remote_fin",  "local_reset", "remote_reset", "timeout",
                               "refused", "connect_timeout", "unreachable", "aborted",     "unknown"};
static_assert(event_names.size() == static_cast<std::size_t>(ConnectionEvent::open) + 1);
static_assert(direction_names.size() == static_cast<std::size_t>(ConnectionDirection::inbound) + 1);
static_assert(end_names.size() == static_cast<std::size_t>(ConnectionEnd::unknown) + 1);

template <class Names, class Value>
const char* name_of(const Names& names, Value value) {
  const auto index = static_cast<std::size_t>(value);
  return index < names.size() ? names[index] : "unknown";
}

}  // namespace

const char* connection_event_name(ConnectionEvent event) { return name_of(event_names, event); }
const char* connection_direction_name(ConnectionDirection direction) { return name_of(direction_names, direction); }
const char* connection_end_name(ConnectionEnd end) { return name_of(end_names, end); }

}  // namespace sonde
