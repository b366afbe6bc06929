// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "export/sinks.hpp"
#include "model/host_counters.hpp"
#include "pipeline/events.hpp"
#include "sonde/drop.hpp"

namespace sonde::exporter {

/// Reason and function, then the packet as a capture shows it, then its owner:
/// "14:03:22.123456789 NO_SOCKET udp_rcv eth0 In  IP 10.0.0.1.4000 > 10.0.0.2.53: UDP, length 5, size 47, unknown (no
/// socket)". The network namespace stands behind the interface when it is another than this process's:
/// "eth0@4026532008".
[[nodiscard]] std::string drop_line(const Drop& drop, bool color);

/// docs/json.md
[[nodiscard]] std::string drop_json(const Drop& drop);

/// By reason and function, by owner, and what the kernel's own counters say of the same time.
[[nodiscard]] std::unique_ptr<pipeline::EventSink<Drop>> make_drop_summary(Output output, bool json,
                                                                           std::function<HostCounters()> host_counters);
/// Without the kernel's own counters.
[[nodiscard]] std::unique_ptr<pipeline::EventSink<Drop>> make_drop_summary(Output output, bool json);

}  // namespace sonde::exporter
