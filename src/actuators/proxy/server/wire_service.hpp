// SPDX-License-Identifier: Apache-2.0
// What the server does with the wire splice as a whole, beside its connections.
#pragma once
#include "actuators/proxy/server/worker.hpp"
#include "actuators/proxy/stats/wire_report.hpp"

namespace sonde::proxy {

/// Before privileges are dropped: pins become those of the user that this process becomes. The path is off where
/// another process keeps the table, unless that is the predecessor. Without the path, connections that an earlier
/// process has left on the wire are kept all the same.
void prepare_wire(Shared& shared, bool take_over);

/// Empty: there is no wire.
[[nodiscard]] std::optional<WireFacts> wire_facts(const Shared& shared);

/// At the end of the process. Where no connection is left, programs and maps leave the kernel.
void leave_wire(Shared& shared);

}  // namespace sonde::proxy
