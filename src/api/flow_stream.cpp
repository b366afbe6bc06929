// SPDX-License-Identifier: Apache-2.0
#include "sonde/flow_stream.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>

#include "aggregate/choices.hpp"
#include "aggregate/collection.hpp"
#include "export/flows/ipfix/sink.hpp"
#include "export/flows/sinks.hpp"
#include "registry/flows.hpp"

namespace sonde {

namespace {

constexpr std::chrono::seconds default_interval{1};
// How soon a stop is noticed.
constexpr std::chrono::milliseconds longest_wait{50};

enum class Output : std::uint8_t { none, text, json, ipfix };

struct Plan {
  Output output = Output::none;
  aggregate::CollectionOptions collection;
  std::chrono::nanoseconds interval{default_interval};
};

}  // namespace

struct FlowStream::State {
  using Clock = std::chrono::steady_clock;

  std::unique_ptr<pipeline::FlowSource> source;
  std::unique_ptr<exporter::FlowSink> sink;
  Handlers handlers;
  Plan plan;
  bool is_file = false;
  std::chrono::nanoseconds duration{};
  std::unique_ptr<aggregate::Collection> collection;
  std::atomic<bool> stop{false};
  std::atomic<std::uint32_t> top{0};

  FlowSummary summary;
  bool sink_failed = false;
  bool pipe_closed = false;
  std::uint64_t lost_with_sink = 0;
  Clock::time_point started;
  std::set<std::string> told;  ///< notices, without their figures

  void give(const FlowRecord& record) {
    if (handlers.record) handlers.record(record);
    if (!sink) ++summary.records;
    use_sink([&](exporter::FlowSink& to) { return to.write(record); });
  }
  void give(const FlowTable& table) {
    if (handlers.table) handlers.table(table);
    if (!sink) summary.records += table.rows.size();
    use_sink([&](exporter::FlowSink& to) { return to.write(table); });
  }
  // After a failure nothing more is written: what came before is whole.
  template <class Call>
  void use_sink(Call call) {
    if (!sink || sink_failed) return;
    const Result<void> done = call(*sink);
    if (done) return;
    sink_failed = true;
    if (done.error().code == EPIPE)
      pipe_closed = true;
    else
      keep_first_error(done);
  }

  void keep_first_error(const Result<void>& done) {
    if (!done && !summary.error) summary.error = done.error();
  }

  void run();
  void tell();
  [[nodiscard]] std::vector<std::string> notices() const;
  void collect();
  void make_table(std::chrono::nanoseconds interval);
  void finish();
  [[nodiscard]] bool ends(Clock::time_point now) const;
  [[nodiscard]] LossStage output_stage() const;
};

namespace {

// Numbers that stand alone, not those of "eth0".
std::string without_figures(const std::string& text) {
  std::string rest;
  bool in_number = false;
  for (const char character : text) {
    const bool digit = character >= '0' && character <= '9';
    in_number = digit && (in_number || rest.empty() || rest.back() == ' ');
    if (!in_number) rest += character;
  }
  return rest;
}

Result<Output> output_of(const std::string& word) {
  if (word.empty()) return Output::none;
  if (word == "text") return Output::text;
  if (word == "json") return Output::json;
  if (word == "ipfix") return Output::ipfix;
  return fail(ErrorKind::usage, "--output '" + word + "': expected one of text, json, ipfix");
}

// What does not go together.
Result<void> check(const FlowStreamOptions& options, Output output, FlowGrouping by) {
  const bool grouped = by != FlowGrouping::flow;
  if (output == Output::ipfix && options.export_to.empty())
    return fail(ErrorKind::usage, "-o ipfix: expected --export HOST:PORT, where the collector listens");
  if (output != Output::ipfix && !options.export_to.empty())
    return fail(ErrorKind::usage, "--export '" + options.export_to + "': expected -o ipfix with it");
  if (output == Output::ipfix && grouped)
    return fail(ErrorKind::usage, "--by '" + options.by + "': IPFIX carries flows; expected --by flow");
  if ((by == FlowGrouping::process || by == FlowGrouping::container) && !options.flows.read_file.empty())
    return fail(ErrorKind::usage, "--by '" + options.by + "': a file does not tell whose its packets were");
  if (by == FlowGrouping::country && options.country_file.empty())
    return fail(ErrorKind::usage, "--by 'country': expected --country-file FILE.mmdb, which tells the countries");
  if (by != FlowGrouping::country && !options.country_file.empty())
    return fail(ErrorKind::usage, "--country-file '" + options.country_file + "': expected --by country with it");
  if (options.interval && options.interval->count() <= 0)
    return fail(ErrorKind::usage, "--interval: expected more than no time");
  return {};
}

Result<Plan> make_plan(const FlowStreamOptions& options, bool wants_tables) {
  const auto output = output_of(options.output);
  if (!output) return std::unexpected(output.error());
  const auto by = aggregate::grouping_of(options.by);
  if (!by) return std::unexpected(by.error());
  const auto order = aggregate::order_of(options.sort);
  if (!order) return std::unexpected(order.error());
  auto checked = check(options, *output, *by);
  if (!checked) return std::unexpected(checked.error());
  auto owners = enrich::CompiledOwnerFilter::compile(options.flows.owner.filter);
  if (!owners) return std::unexpected(owners.error());
  Plan plan;
  plan.output = *output;
  auto& collection = plan.collection;
  collection.owners = std::move(*owners);
  collection.by = *by;
  collection.order = *order;
  collection.top = options.top;
  const bool grouped = *by != FlowGrouping::flow;
  collection.tables = wants_tables || *output == Output::text || (*output == Output::json && grouped);
  collection.whole = collection.tables && !options.flows.read_file.empty() && !options.interval;
  collection.active_timeout = options.flows.active_timeout;
  plan.interval = options.interval.value_or(default_interval);
  if (!options.country_file.empty()) {
    auto countries = enrich::CountryFile::open("--country-file", options.country_file);
    if (!countries) return std::unexpected(countries.error());
    collection.countries = std::move(*countries);
  }
  return plan;
}

// Groups are tables, everything else of JSON and IPFIX is records.
bool takes_records(const Plan& plan) {
  return plan.output == Output::ipfix || (plan.output == Output::json && plan.collection.by == FlowGrouping::flow);
}

Result<std::unique_ptr<exporter::FlowSink>> make_sink(const FlowStreamOptions& options, Output kind) {
  if (kind == Output::none) return nullptr;
  if (kind == Output::ipfix)
    return exporter::make_ipfix_sink(
        {.collector = options.export_to, .observation_domain = options.observation_domain});
  auto output = exporter::open_output("-");
  if (!output) return std::unexpected(output.error());
  if (kind == Output::json) return exporter::make_flow_json_sink(std::move(*output));
  return exporter::make_flow_text_sink(std::move(*output), {.color = options.color});
}

}  // namespace

FlowStream::FlowStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
FlowStream::FlowStream(FlowStream&&) noexcept = default;
FlowStream& FlowStream::operator=(FlowStream&&) noexcept = default;
FlowStream::~FlowStream() = default;

Result<FlowStream> FlowStream::make(const FlowStreamOptions& options, Handlers handlers) {
  auto plan = make_plan(options, static_cast<bool>(handlers.table));
  if (!plan) return std::unexpected(plan.error());
  auto sink = make_sink(options, plan->output);
  if (!sink) return std::unexpected(sink.error());
  auto flows = options.flows;
  const auto by = plan->collection.by;
  if (by == FlowGrouping::process || by == FlowGrouping::container) flows.owners = true;  // they are all it is about
  auto source = registry::open_flows(flows, {}, plan->collection.whole ? default_interval : plan->interval);
  if (!source) return std::unexpected(source.error());
  auto state = std::make_unique<State>();
  state->source = std::move(*source);
  state->sink = std::move(*sink);
  state->is_file = !options.flows.read_file.empty();
  state->duration = options.duration;
  state->top = options.top;
  state->plan = std::move(*plan);
  auto collection = state->plan.collection;
  if (handlers.record || takes_records(state->plan))
    collection.record = [state = state.get()](const FlowRecord& record) { state->give(record); };
  state->handlers = std::move(handlers);
  for (const auto& notice : state->notices()) state->told.insert(without_figures(notice));
  state->collection = std::make_unique<aggregate::Collection>(*state->source, std::move(collection));
  return FlowStream(std::move(state));
}

bool FlowStream::State::ends(Clock::time_point now) const {
  const bool late = duration.count() != 0 && now - started >= duration;
  return late || sink_failed || stop.load(std::memory_order_relaxed);
}

void FlowStream::State::collect() {
  keep_first_error(source->collect(*collection));
  use_sink([](exporter::FlowSink& to) { return to.flush(); });
  tell();
}

// A notice whose figures have grown is no news.
void FlowStream::State::tell() {
  for (const auto& notice : notices())
    if (told.insert(without_figures(notice)).second && handlers.notice) handlers.notice(notice);
}

std::vector<std::string> FlowStream::State::notices() const {
  auto notices = source->notices();
  if (!sink) return notices;
  const auto more = sink->notices();
  notices.insert(notices.end(), more.begin(), more.end());
  return notices;
}

void FlowStream::State::make_table(std::chrono::nanoseconds interval) {
  collection->set_top(top.load(std::memory_order_relaxed));
  if (plan.collection.tables) give(collection->take_table(interval));
  use_sink([](exporter::FlowSink& to) { return to.flush(); });
}

// A file's time is that of its packets, and each collection reads a step of it.
void FlowStream::State::run() {
  started = Clock::now();
  auto last = started;
  std::int64_t last_wall = 0;
  bool stopping = false;
  while (!source->finished() && !summary.error) {
    const auto now = Clock::now();
    if (!stopping && ends(now)) {
      stopping = true;
      keep_first_error(source->stop());
    }
    if (!is_file && !stopping && now - last < plan.interval) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(plan.interval - (now - last));
      keep_first_error(source->poll(std::min(left, longest_wait)));
      continue;
    }
    collect();
    const auto wall = source->now_wall_ns();
    if (plan.collection.whole || (is_file && wall == last_wall && !source->finished())) continue;
    const auto from = last_wall == 0 ? collection->first_wall_ns() : last_wall;
    make_table(is_file ? std::chrono::nanoseconds(wall - from) : std::chrono::nanoseconds(now - last));
    last = now;
    last_wall = wall;
  }
  if (plan.collection.whole && collection->first_wall_ns() != 0)  // of no packets there is nothing to show
    make_table(std::chrono::nanoseconds(collection->last_wall_ns() - collection->first_wall_ns()));
}

LossStage FlowStream::State::output_stage() const {
  const auto taken = collection->total().packets;
  const auto given = sink ? std::min(taken, sink->packets()) : taken;
  LossStage stage{"output", taken, given, 0, taken - given, ""};
  if (pipe_closed) stage.note = "the reader of the output went away";
  return stage;
}

void FlowStream::State::finish() {
  summary.duration = is_file ? std::chrono::nanoseconds(collection->last_wall_ns() - collection->first_wall_ns())
                             : std::chrono::nanoseconds(Clock::now() - started);
  summary.flows = collection->flows();
  summary.total = collection->total();
  summary.loss.stages = collection->loss();
  use_sink([](exporter::FlowSink& to) { return to.flush(); });
  summary.loss.stages.push_back(output_stage());
  if (sink) summary.records = sink->records();
  use_sink([&](exporter::FlowSink& to) { return to.finish(summary); });
  summary.loss.stages.back() = output_stage();
  if (sink) summary.records = sink->records();
  tell();
}

FlowSummary FlowStream::run() {
  state_->run();
  state_->finish();
  return std::move(state_->summary);
}

std::vector<std::string> FlowStream::notices() const { return state_->notices(); }

void FlowStream::stop() noexcept { state_->stop.store(true, std::memory_order_relaxed); }
void FlowStream::set_top(std::uint32_t rows) noexcept { state_->top.store(rows, std::memory_order_relaxed); }

}  // namespace sonde
