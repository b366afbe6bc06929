// SPDX-License-Identifier: Apache-2.0
// The table of event kinds: one entry for each sensor that gives events, with what shows them.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "export/sinks.hpp"
#include "pipeline/events.hpp"
#include "sensors/events/sensor.hpp"
#include "sonde/events.hpp"
#include "sonde/result.hpp"

namespace sonde::registry {

template <class Event>
struct EventKind {
  Result<std::unique_ptr<pipeline::EventSource<Event>>> (*open)(const events::SensorRequest& request);
  std::string (*line)(const Event& event, bool color);                                         ///< -o text
  std::string (*json)(const Event& event);                                                     ///< -o json
  std::unique_ptr<pipeline::EventSink<Event>> (*summary)(exporter::Output output, bool json);  ///< --summary
};

/// For Retransmission, Drop and Connection.
template <class Event>
[[nodiscard]] const EventKind<Event>& event_kind();

/// The sink of -o and --summary. ErrorKind::usage names the outputs.
template <class Event>
[[nodiscard]] Result<std::unique_ptr<pipeline::EventSink<Event>>> make_event_sink(const EventOptions& options);

/// What is open now, and its text: a table, or JSON lines. For connection_snapshot().
[[nodiscard]] Result<std::vector<Connection>> open_connections(const events::SensorRequest& request);
[[nodiscard]] Result<void> print_connections(const std::vector<Connection>& connections, const EventOptions& options);

}  // namespace sonde::registry
