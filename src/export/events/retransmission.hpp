// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "export/sinks.hpp"
#include "pipeline/events.hpp"
#include "sonde/retransmission.hpp"

namespace sonde::exporter {

/// Why, whose, to whom and where it was lost; then the state unless it is ESTABLISHED, how many segments the socket has
/// sent again, its path, and the sequence numbers:
/// "14:03:22.123456789 RTO      curl[4711] 10.0.0.1:40000 > 10.0.0.2:443: lost here: QDISC_DROP in veth0, #3,
///  rtt 12.3 ms, rto 212 ms, cwnd 10, flight 14.5 kB, seq 1:1449" (one line, without its end).
[[nodiscard]] std::string retransmission_line(const Retransmission& event, bool color);

/// docs/json.md
[[nodiscard]] std::string retransmission_json(const Retransmission& event);

/// By process, by peer and by cause.
[[nodiscard]] std::unique_ptr<pipeline::EventSink<Retransmission>> make_retransmission_summary(Output output,
                                                                                               bool json);

}  // namespace sonde::exporter
