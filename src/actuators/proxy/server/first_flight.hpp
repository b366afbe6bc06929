// SPDX-License-Identifier: Apache-2.0
// What a client sends first: a PROXY header if it is asked for, then the ClientHello.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/loop/task.hpp"
#include "actuators/proxy/protocol/hello.hpp"
#include "actuators/proxy/stats/statistics.hpp"

namespace sonde::proxy {

struct FirstFlight {
  std::vector<std::uint8_t> bytes;  ///< all that was read but the PROXY header: the hello, and what came with it
  std::size_t header_size = 0;      ///< of the PROXY header
  std::optional<Endpoint> source;   ///< of the PROXY header
  std::optional<Endpoint> destination;
  ClientHello hello;
};

/// Reads until the hello is whole. Anything else than Refusal::none says why it never will be; `flight.bytes` has what
/// came.
[[nodiscard]] Task<Refusal> read_first_flight(Loop& loop, Channel& client, bool proxy_header, std::size_t most_bytes,
                                              Clock::time_point deadline, FirstFlight& flight);

}  // namespace sonde::proxy
