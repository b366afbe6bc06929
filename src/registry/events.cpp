// SPDX-License-Identifier: Apache-2.0
#include "registry/events.hpp"

#include <algorithm>
#include <array>

#include "export/events/connection.hpp"
#include "export/events/drop.hpp"
#include "export/events/retransmission.hpp"
#include "export/events/sinks.hpp"
#include "export/json/summary.hpp"
#include "registry/choices.hpp"
#include "sensors/connections/connections.hpp"
#include "sensors/connections/snapshot.hpp"
#include "sensors/drops/drops.hpp"
#include "sensors/drops/host_counters.hpp"
#include "sensors/retransmissions/retransmissions.hpp"

namespace sonde::registry {
namespace {

constexpr std::array<NamedValue<bool>, 2> outputs = {{{"text", false}, {"json", true}}};

constexpr EventKind<Retransmission> retransmission_kind{retransmissions::open, exporter::retransmission_line,
                                                        exporter::retransmission_json,
                                                        exporter::make_retransmission_summary};
// The host's counters are read now and again at the end.
std::unique_ptr<pipeline::EventSink<Drop>> drop_summary(exporter::Output output, bool json) {
  return exporter::make_drop_summary(std::move(output), json, drops::watch_host_counters());
}

constexpr EventKind<Drop> drop_kind{drops::open, exporter::drop_line, exporter::drop_json, drop_summary};
constexpr EventKind<Connection> connection_kind{connections::open, exporter::connection_line, exporter::connection_json,
                                                exporter::make_connection_summary};

}  // namespace

template <>
const EventKind<Retransmission>& event_kind() {
  return retransmission_kind;
}

template <>
const EventKind<Drop>& event_kind() {
  return drop_kind;
}

template <>
const EventKind<Connection>& event_kind() {
  return connection_kind;
}

template <class Event>
Result<std::unique_ptr<pipeline::EventSink<Event>>> make_event_sink(const EventOptions& options) {
  const auto json = choose("--output", options.output, outputs);
  if (!json) return std::unexpected(json.error());
  auto output = exporter::open_output("-");
  if (!output) return std::unexpected(output.error());
  const auto& kind = event_kind<Event>();
  if (options.summary) return kind.summary(std::move(*output), *json);
  if (!*json)
    return std::make_unique<exporter::LineSink<Event>>(
        std::move(*output),
        [line = kind.line, color = options.color](const Event& event) { return line(event, color); });
  return std::make_unique<exporter::LineSink<Event>>(
      std::move(*output), kind.json,
      [](const pipeline::EventTotals& totals) { return exporter::summary_json(totals); });
}

template Result<std::unique_ptr<pipeline::EventSink<Retransmission>>> make_event_sink(const EventOptions&);
template Result<std::unique_ptr<pipeline::EventSink<Drop>>> make_event_sink(const EventOptions&);
template Result<std::unique_ptr<pipeline::EventSink<Connection>>> make_event_sink(const EventOptions&);

Result<std::vector<Connection>> open_connections(const events::SensorRequest& request) {
  return connections::snapshot(request);
}

Result<void> print_connections(const std::vector<Connection>& connections, const EventOptions& options) {
  const auto json = choose("--output", options.output, outputs);
  if (!json) return std::unexpected(json.error());
  auto output = exporter::open_output("-");
  if (!output) return std::unexpected(output.error());
  std::string text;
  if (*json)
    for (const auto& connection : connections) text += exporter::connection_json(connection) + "\n";
  else
    text = exporter::connection_table(connections);
  exporter::FdWriter writer(std::move(*output));
  char* out = writer.room(text.size());
  if (out == nullptr) return writer.error();
  writer.end_header(std::ranges::copy(text, out).out);
  return writer.flush();
}

}  // namespace sonde::registry
