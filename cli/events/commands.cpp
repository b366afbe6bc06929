// SPDX-License-Identifier: Apache-2.0
#include "events/commands.hpp"

#include <fmt/format.h>

#include "events/options.hpp"
#include "ledger.hpp"
#include "signals.hpp"

namespace sonde::cli {
namespace {

constexpr const char* filter_heading = "Which ones (all must hold)";

constexpr EventCommand retrans_command{
    "retrans",
    "Show each TCP retransmission: who sent it, to whom, why, and where it was lost.",
    filter_heading,
    "The loss ledger on standard error tells what every stage took, gave and lost.\n"
    "Examples:\n"
    "  sonde retrans                              as they happen, in all network namespaces\n"
    "  sonde retrans --summary --duration 1m      a minute's worth by process, by peer and by cause\n"
    "  sonde retrans --process nginx --dst-port 443",
    false,
    false};

constexpr EventCommand drops_command{
    "drops",
    "Show each packet that the kernel dropped: reason, place, whose it was.",
    filter_heading,
    "The loss ledger on standard error tells what every stage took, gave and lost.\n"
    "Examples:\n"
    "  sonde drops                                as they happen, in all network namespaces\n"
    "  sonde drops --summary --duration 10s       by reason, beside the counters of kernel, queues and devices\n"
    "  sonde drops --port 53 -o json",
    false,
    true};

constexpr EventCommand connections_command{
    "connections",
    "Show TCP connections as they open, fail and end: who, to whom, how long, how much, and why it ended.",
    filter_heading,
    "The loss ledger on standard error tells what every stage took, gave and lost.\n"
    "Examples:\n"
    "  sonde connections                          as they open and end, in all network namespaces\n"
    "  sonde connections --snapshot               what is open now, with owners\n"
    "  sonde connections --user www-data --dst-port 5432",
    true,
    false};

template <class Event>
int watch(const Environment& env, EventOptions options, bool quiet) {
  if (quiet) options.output.clear();
  auto stream = EventStream<Event>::make(options);
  if (!stream) return report(env, stream.error());
  const StopOnSignals signals(*stream);
  const auto notices = stream->notices();
  print_notices(env.err, notices);
  const auto summary = stream->run();
  print_notices(env.err, stream->notices(), notices.size());
  env.err << fmt::format("\n{} events in {:.1f} s\n", summary.events,
                         std::chrono::duration<double>(summary.duration).count());
  print_ledger(env.err, summary.loss);
  env.err.flush();
  return summary.error ? report(env, *summary.error) : static_cast<int>(well);
}

template <class Event>
int run_command(const Environment& env, const EventCommand& command, std::vector<std::string> arguments) {
  auto parsed = parse_events(env, command, std::move(arguments));
  if (!parsed.options) return parsed.status;
  if (!parsed.snapshot) return watch<Event>(env, std::move(*parsed.options), parsed.quiet);
  const auto shown = connection_snapshot(*parsed.options);
  return shown ? static_cast<int>(well) : report(env, shown.error());
}

}  // namespace

int retrans(const Environment& env, std::vector<std::string> arguments) {
  return run_command<Retransmission>(env, retrans_command, std::move(arguments));
}

int drops(const Environment& env, std::vector<std::string> arguments) {
  return run_command<Drop>(env, drops_command, std::move(arguments));
}

int connections(const Environment& env, std::vector<std::string> arguments) {
  return run_command<Connection>(env, connections_command, std::move(arguments));
}

}  // namespace sonde::cli
