// SPDX-License-Identifier: Apache-2.0
// A ConnectionRecord in few bytes, as the table of the wire splice keeps it: most fit into one part of
// SONDE_WIRE_RECORD_BYTES.
#pragma once
#include <string>
#include <string_view>

#include "actuators/proxy/stats/statistics.hpp"
#include "actuators/proxy/wire/keeper.hpp"
#include "actuators/proxy/wire/table.hpp"

namespace sonde::proxy {

/// `record.total`: from accept until it was joined. What is known only at the end is left out. `ends`: of the
/// connection in the table; what follows from them takes no room. At most 640 bytes: longer texts are cut, the longest
/// first.
[[nodiscard]] std::string write_wire_record(const ConnectionRecord& record, const WireEnds& ends);
/// An error: it is none, or one of another version.
[[nodiscard]] Result<ConnectionRecord> read_wire_record(std::string_view bytes, const WireEnds& ends);

/// As the access log has it: what the record says, and how it ended. Without a record only what the table knows.
[[nodiscard]] ConnectionRecord finished_record(const WireEnd& end);

}  // namespace sonde::proxy
