// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "sonde/packet.hpp"

namespace sonde::exporter {

/// Most characters of what append_packet_fields() writes.
inline constexpr std::size_t max_packet_fields_size = 1024;

/// The members that come from the packet's headers, from "protocol" to "status" (docs/json.md), without a comma at the
/// end.
char* append_packet_fields(char* out, const sonde_packet_event& event);

}  // namespace sonde::exporter
