// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "actuators/proxy/stats/statistics.hpp"

namespace sonde::proxy {

/// What a refused client is told: a TLS alert (RFC 8446 section 6.2, RFC 6066 section 3), an HTTP response to who
/// speaks HTTP; empty: it is only closed.
[[nodiscard]] std::vector<std::uint8_t> answer_of(Refusal refusal);

/// Counts that a refusal adds to beside its own.
struct RefusalCounters {
  bool failed = false;        ///< Counter::failed_connections
  bool parse_error = false;   ///< Counter::sni_parse_errors
  bool timeout = false;       ///< Counter::connection_timeouts
  bool socks5_error = false;  ///< Counter::socks5_errors
};
[[nodiscard]] RefusalCounters counters_of(Refusal refusal);

}  // namespace sonde::proxy
