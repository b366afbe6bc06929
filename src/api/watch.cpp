// SPDX-License-Identifier: Apache-2.0
#include "sonde/watch.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <set>

#include "export/events/sinks.hpp"
#include "export/json/summary.hpp"
#include "export/security/security.hpp"
#include "registry/choices.hpp"
#include "registry/flows.hpp"
#include "sonde/guard.hpp"
#include "watch/evidence.hpp"
#include "watch/responder.hpp"
#include "watch/runtime.hpp"
#include "watch_evidence.hpp"

namespace sonde {
namespace {

using Sink = pipeline::EventSink<SecurityEvent>;
using Clock = std::chrono::steady_clock;

constexpr std::array<registry::NamedValue<bool>, 2> outputs = {{{"text", false}, {"json", true}}};
constexpr std::array<registry::NamedValue<bool>, 2> response_modes = {{{"print", false}, {"block", true}}};

template <class Enum>
Result<Enum> parse_name(const char* option, std::string_view word, Enum last, const char* (*name)(Enum)) {
  std::string names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto value = static_cast<Enum>(i);
    if (word == name(value)) return value;
    names += (names.empty() ? "" : ", ") + std::string(name(value));
  }
  return fail(ErrorKind::usage, fmt::format("{} '{}': expected {}", option, word, names));
}

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

Result<void> check_evidence(const WatchOptions& options) {
  const auto& evidence = options.evidence;
  if (evidence.directory.empty()) return {};
  if (options.flows.read_file == "-")
    return fail(ErrorKind::usage, "--evidence: standard input cannot be read twice; expected -r FILE");
  if (!is_directory(evidence.directory))
    return fail(ErrorKind::usage, "--evidence '" + evidence.directory + "': no such directory");
  return {};
}

Result<void> check_response(const WatchOptions& options, bool block) {
  if (options.response.dry_run && !block)
    return fail(ErrorKind::usage, "--respond-dry-run: nothing is done but printed; expected --respond block");
  if (block && !options.flows.read_file.empty())
    return fail(ErrorKind::usage, "--respond 'block': what is in a file is over; expected --respond print");
  return {};
}

watch::GuardCalls guard_calls(Guard& guard) {
  watch::GuardCalls calls;
  calls.add = [&guard](const GuardRule& rule) -> Result<std::uint64_t> {
    auto change = guard.add({&rule, 1});
    if (!change) return std::unexpected(change.error());
    if (change->ids.empty()) return fail(ErrorKind::failed, "the guard gave the rule no number");
    return change->ids.front();
  };
  calls.hits = [&guard]() -> Result<std::map<std::uint64_t, GuardCount>> {
    const auto rules = guard.list();
    if (!rules) return std::unexpected(rules.error());
    std::map<std::uint64_t, GuardCount> hits;
    for (const auto& entry : *rules) hits[entry.rule.id] = entry.hits;
    return hits;
  };
  return calls;
}

}  // namespace

struct Watch::State {
  WatchOptions options;
  Handler handler;
  bool json = false;
  std::unique_ptr<watch::LocalAddresses> local;  ///< of the responder; the runtime has its own
  std::optional<Guard> guard;
  std::optional<watch::Responder> responder;
  std::unique_ptr<LiveEvidence> live_evidence;
  watch::FileEvidence file_evidence;
  std::unique_ptr<watch::Runtime> runtime;
  std::unique_ptr<Sink> sink;
  std::vector<std::string> notices;
  WatchSummary summary;
  std::set<std::uint64_t> going_on;  ///< events that were shown and have not ended
  std::uint32_t evidence_files = 0;
  std::uint64_t without_evidence = 0;
  bool pipe_closed = false;
  std::atomic<bool> stop{false};

  [[nodiscard]] bool replayed() const { return !options.flows.read_file.empty(); }
  [[nodiscard]] bool wanted(const SecurityEvent& event) const {
    const auto& kinds = options.kinds;
    return event.severity >= options.min_severity &&
           (kinds.empty() || std::ranges::find(kinds, event.kind) != kinds.end());
  }
  [[nodiscard]] bool count_reached() const { return options.count != 0 && summary.events >= options.count; }

  Result<void> open_guard();
  Result<void> open_output();
  Result<void> open_runtime();

  void take(SecurityEvent event);
  void begin_evidence(SecurityEvent& event);
  void end_evidence(SecurityEvent& event);
  void show(SecurityEvent event);
  void keep_first_error(const Result<void>& done);
  void finish(Clock::time_point start);
};

// --- opening ---

Result<void> Watch::State::open_guard() {
  const auto block = registry::choose("--respond", options.response.mode, response_modes);
  if (!block) return std::unexpected(block.error());
  if (auto checked = check_response(options, *block); !checked || !*block) return checked;
  auto interfaces = registry::flow_interfaces(options.flows.interfaces);
  if (!interfaces) return std::unexpected(interfaces.error());
  if (std::ranges::find(interfaces->names, "any") != interfaces->names.end())
    return fail(ErrorKind::usage, "--respond 'block': the guard is attached to interfaces by name; expected -i NAME");
  auto local_addresses = watch::LocalAddresses::make(options.local, true);
  if (!local_addresses) return std::unexpected(local_addresses.error());
  auto opened = Guard::open();
  if (!opened) return std::unexpected(opened.error());
  GuardAttachOptions attach;
  attach.interfaces = interfaces->names;
  const auto attached = opened->attach(attach);
  if (!attached) return std::unexpected(attached.error());
  for (const auto& interface : *attached)
    notices.push_back(fmt::format("guard on {} by {}; it stays: `sonde guard detach {}` removes it", interface.name,
                                  interface.receive, interface.name));
  guard.emplace(std::move(*opened));
  local = std::make_unique<watch::LocalAddresses>(std::move(*local_addresses));
  responder.emplace(guard_calls(*guard), watch::ResponderOptions{options.response.ttl, options.response.dry_run},
                    *local);
  return {};
}

Result<void> Watch::State::open_output() {
  if (options.output.empty()) return {};
  const auto chosen = registry::choose("--output", options.output, outputs);
  if (!chosen) return std::unexpected(chosen.error());
  json = *chosen;
  auto output = exporter::open_output("-");
  if (!output) return std::unexpected(output.error());
  const auto text = [color = options.color](const SecurityEvent& event) {
    return exporter::security_text(event, color);
  };
  const auto trailer = [this](const pipeline::EventTotals& totals) {
    auto line = exporter::summary_json(totals);
    line.pop_back();
    return line + fmt::format(",\"flows\":{},\"left_out\":{},\"blocked\":{}}}", summary.flows, summary.left_out,
                              summary.blocked);
  };
  if (json)
    sink = std::make_unique<exporter::LineSink<SecurityEvent>>(std::move(*output), exporter::security_json, trailer);
  else
    sink = std::make_unique<exporter::LineSink<SecurityEvent>>(std::move(*output), text);
  return {};
}

Result<void> Watch::State::open_runtime() {
  watch::RuntimeOptions runtime_options;
  runtime_options.interval = options.interval;
  runtime_options.replay = replayed();
  runtime_options.config = options.config;
  auto addresses = watch::LocalAddresses::make(options.local, !replayed());
  if (!addresses) return std::unexpected(addresses.error());
  runtime_options.local = std::move(*addresses);
  if (!options.country_file.empty()) {
    auto countries = enrich::CountryFile::open("--country-file", options.country_file);
    if (!countries) return std::unexpected(countries.error());
    runtime_options.countries = std::move(*countries);
  }
  auto source = registry::open_flows(options.flows, {.arp = true, .dns = true}, options.interval);
  if (!source) return std::unexpected(source.error());
  runtime = std::make_unique<watch::Runtime>(std::move(*source), std::move(runtime_options),
                                             [this](SecurityEvent event) { take(std::move(event)); });
  if (options.evidence.directory.empty() || replayed()) return {};
  CaptureOptions like;
  auto interfaces = registry::flow_interfaces(options.flows.interfaces);
  if (!interfaces) return std::unexpected(interfaces.error());
  like.interfaces = std::move(interfaces->names);
  like.source = options.flows.source;
  live_evidence = std::make_unique<LiveEvidence>(std::move(like), options.evidence);
  return {};
}

// --- events ---

// What began beyond the count, or is not wanted, is not shown later either.
void Watch::State::take(SecurityEvent event) {
  if (event.state == SecurityState::started) {
    if (!wanted(event) || count_reached() || pipe_closed) {
      ++summary.left_out;
      return;
    }
    ++summary.events;
    going_on.insert(event.id);
  } else if (!going_on.contains(event.id)) {
    return;
  }
  const auto shown = [this](SecurityEvent what) { show(std::move(what)); };
  if (event.state == SecurityState::started) begin_evidence(event);
  if (responder)
    responder->take(std::move(event), shown);
  else
    show(std::move(event));
}

void Watch::State::begin_evidence(SecurityEvent& event) {
  const auto& evidence = options.evidence;
  if (evidence.directory.empty()) return;
  const auto path = evidence.directory + "/" + watch::evidence_name(event);
  const bool has_room = evidence_files < evidence.files && !watch::evidence_packets(event).none();
  const bool started = has_room && (replayed() || live_evidence->start(event, path));
  if (!started) {
    ++without_evidence;
    return;
  }
  ++evidence_files;
  event.evidence_file = path;
  if (replayed()) file_evidence.take(event, path);
}

void Watch::State::end_evidence(SecurityEvent& event) {
  if (replayed()) file_evidence.take(event, {});
  if (live_evidence) {
    const auto packets = live_evidence->stop(event.id);
    event.evidence.emplace_back("packets_in_evidence_file", std::to_string(packets));
  }
}

void Watch::State::show(SecurityEvent event) {
  if (event.state == SecurityState::ended) {
    going_on.erase(event.id);
    if (!options.evidence.directory.empty()) end_evidence(event);
  }
  if (handler) handler(event);
  if (sink) keep_first_error(sink->write({&event, 1}));
}

void Watch::State::keep_first_error(const Result<void>& done) {
  if (done) return;
  if (done.error().code == EPIPE)
    pipe_closed = true;
  else if (!summary.error)
    summary.error = done.error();
}

// --- running ---

Watch::Watch(std::unique_ptr<State> state) : state_(std::move(state)) {}
Watch::Watch(Watch&&) noexcept = default;
Watch& Watch::operator=(Watch&&) noexcept = default;
Watch::~Watch() = default;

Result<Watch> Watch::make(const WatchOptions& options, Handler handler) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->handler = std::move(handler);
  if (options.interval < std::chrono::milliseconds(50) || options.interval > std::chrono::seconds(10))
    return fail(ErrorKind::usage, "--interval: expected 50ms to 10s");
  if (auto checked = check_evidence(options); !checked) return std::unexpected(checked.error());
  if (auto opened = state->open_output(); !opened) return std::unexpected(opened.error());
  if (auto opened = state->open_runtime(); !opened) return std::unexpected(opened.error());
  if (auto opened = state->open_guard(); !opened) return std::unexpected(opened.error());
  return Watch(std::move(state));
}

std::vector<std::string> Watch::notices() const {
  auto notices = state_->runtime->notices();
  notices.insert(notices.end(), state_->notices.begin(), state_->notices.end());
  return notices;
}

void Watch::State::finish(Clock::time_point start) {
  if (responder) {
    responder->finish(runtime->now_wall_ns(), [this](SecurityEvent event) { show(std::move(event)); });
    summary.blocked = responder->blocked();
  }
  const auto& evidence = options.evidence;
  if (replayed() && evidence_files > 0)
    keep_first_error(file_evidence.write(options.flows.read_file, {evidence.packets, evidence.snaplen}));
  if (without_evidence > 0)
    notices.push_back(
        fmt::format("{} events have no evidence file: {} at most, 16 at a time", without_evidence, evidence.files));
  if (live_evidence && !live_evidence->failure().empty()) notices.push_back(live_evidence->failure());
  summary.flows = runtime->flows();
  summary.loss.stages = runtime->loss();
  summary.duration = replayed() ? runtime->packet_time() : std::chrono::nanoseconds(Clock::now() - start);
  if (sink && !pipe_closed && !summary.error) {
    keep_first_error(sink->flush());
    keep_first_error(sink->finish({summary.loss, summary.events, summary.duration}));
  }
}

WatchSummary Watch::run() {
  auto& state = *state_;
  const auto start = Clock::now();
  bool stopping = false;
  const auto ends = [&] {
    const bool late = state.options.duration.count() != 0 && Clock::now() - start >= state.options.duration;
    return late || state.count_reached() || state.pipe_closed || state.summary.error ||
           state.stop.load(std::memory_order_relaxed);
  };
  while (!state.runtime->finished()) {
    if (!stopping && ends()) {
      stopping = true;
      state.keep_first_error(state.runtime->stop());
    }
    const auto done = state.runtime->step();
    state.keep_first_error(done);
    if (state.responder) {
      state.local->refresh_if_old();
      state.responder->advance(state.runtime->now_wall_ns(),
                               [&](SecurityEvent event) { state.show(std::move(event)); });
    }
    if (state.sink && !state.pipe_closed) state.keep_first_error(state.sink->flush());
    if (!done && stopping) break;
  }
  state.finish(start);
  return state.summary;
}

void Watch::stop() noexcept { state_->stop.store(true, std::memory_order_relaxed); }

Result<SecurityKind> parse_security_kind(std::string_view word) {
  return parse_name("--kind", word, SecurityKind::dns_tunnel, security_kind_name);
}

Result<Severity> parse_severity(std::string_view word) {
  return parse_name("--min-severity", word, Severity::high, severity_name);
}

}  // namespace sonde
