// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "actuators/guard/directory.hpp"
#include "actuators/guard/log_reader.hpp"
#include "actuators/guard/model/decide.hpp"
#include "base/wall_clock.hpp"
#include "export/guard/log.hpp"
#include "export/sinks.hpp"
#include "kernel/interfaces.hpp"
#include "model/parse.hpp"
#include "sonde/guard.hpp"

namespace sonde {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds poll_interval{10};

// By GuardVerdict: of a limit what it drops.
constexpr std::array outcome_of_verdict{SONDE_GUARD_PASSED_NEVER, SONDE_GUARD_PASSED_ALLOW, SONDE_GUARD_DROPPED_BLOCK,
                                        SONDE_GUARD_DROPPED_LIMIT, SONDE_GUARD_DROPPED_DEFAULT};

std::uint32_t outcome_bits(std::vector<GuardVerdict> verdicts) {
  if (verdicts.empty()) verdicts = {GuardVerdict::block, GuardVerdict::limit, GuardVerdict::default_drop};
  std::uint32_t bits = 0;
  for (const auto verdict : verdicts) bits |= 1U << outcome_of_verdict.at(static_cast<std::size_t>(verdict));
  return bits;
}

InterfaceTable interface_table() {
  InterfaceTable table;
  if (const auto all = kernel::list_interfaces(); all)
    for (const auto& interface : *all) table.emplace(interface.ifindex, Interface{interface.name, interface.link_type});
  return table;
}

}  // namespace

struct GuardLog::State {
  GuardLogOptions options;
  guard::LogReader reader;
  std::unique_ptr<pipeline::Sink> file;
  InterfaceTable interfaces;
  std::set<std::uint64_t> rules;
  std::atomic<bool> stopped{false};
  WallClock clock;
  std::uint64_t read = 0;
  std::uint64_t output = 0;

  State(GuardLogOptions given, guard::LogReader opened) : options(std::move(given)), reader(std::move(opened)) {
    rules.insert(options.rules.begin(), options.rules.end());
    interfaces = interface_table();
  }

  [[nodiscard]] bool full() const { return options.count != 0 && output >= options.count; }
  Result<void> show(const sonde_guard_log& record);
  Result<void> read_waiting();
  Result<void> run_until_end(Clock::time_point begin);
  Result<void> finish(GuardLogSummary& summary);
};

Result<void> GuardLog::State::show(const sonde_guard_log& record) {
  ++read;
  if (full() || (!rules.empty() && !rules.contains(record.rule_id))) return {};
  const bool raw = (record.flags & SONDE_GUARD_LOG_RAW_IP) != 0;
  sonde_packet_event event{};
  parse_packet({record.bytes, record.captured_size}, record.packet_size, raw ? LinkType::raw_ip : LinkType::ethernet,
               {}, event);
  event.header = record.header;
  event.packet_size = record.packet_size;
  event.captured_size = record.captured_size;
  event.direction = (record.flags & SONDE_GUARD_LOG_OUT) != 0 ? SONDE_DIRECTION_OUT : SONDE_DIRECTION_IN;
  const auto outcome = static_cast<sonde_guard_outcome>(record.outcome);
  const exporter::GuardLogEntry entry{
      {.event = &event, .data = record.bytes, .wall_ns = clock.wall_ns(record.header.ts_ns)},
      guard::outcome_name(outcome),
      record.rule_id,
      (record.flags & SONDE_GUARD_LOG_DRY_RUN) != 0};
  ++output;
  if (!options.output.empty()) {
    const auto line = options.output == "json" ? exporter::guard_log_json(entry, interfaces)
                                               : exporter::guard_log_line(entry, interfaces);
    if (std::fputs((line + "\n").c_str(), stdout) < 0) return fail_errno("write standard output");
  }
  if (file == nullptr || entry.dry_run || !guard::outcome_drops(outcome)) return {};
  return file->write({&entry.packet, 1}, interfaces);
}

Result<void> GuardLog::State::read_waiting() {
  clock.refresh_if_old();
  bool any = false;
  while (const auto* record = reader.next()) {
    any = true;
    if (auto shown = show(*record); !shown) return shown;
    reader.release();
  }
  if (!any) return {};
  if (std::fflush(stdout) != 0) return fail_errno("write standard output");
  return file == nullptr ? Result<void>{} : file->flush();
}

Result<void> GuardLog::State::run_until_end(Clock::time_point begin) {
  auto kept = begin;
  while (!stopped.load() && !full()) {
    const auto now = Clock::now();
    if (options.duration.count() != 0 && now - begin >= options.duration) break;
    if (now - kept >= std::chrono::seconds(1)) {
      if (!reader.keep_on()) return fail(ErrorKind::failed, "the guard was detached");
      kept = now;
      interfaces.merge(interface_table());
    }
    if (auto shown = read_waiting(); !shown) return shown;
    std::this_thread::sleep_for(poll_interval);
  }
  return {};
}

Result<void> GuardLog::State::finish(GuardLogSummary& summary) {
  auto stopped_well = reader.stop();
  auto shown = read_waiting();
  const auto books = reader.books();
  if (books) {
    const auto outcomes = books->logged + books->lost + books->skipped;
    summary.loss.stages = {
        {"guard", outcomes, outcomes - books->skipped, books->skipped, 0, books->skipped == 0 ? "" : "not sampled"},
        {"ring", books->logged + books->lost, books->logged, 0, books->lost, ""},
        {"output", read, output, read - output, 0, read == output ? "" : "--rule, -c"},
    };
  }
  if (file != nullptr) {
    const auto finished = file->finish({summary.loss, {}, summary.duration});
    if (shown) shown = finished;
  }
  if (!shown) return shown;
  if (!books) return std::unexpected(books.error());
  return stopped_well;
}

GuardLog::GuardLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
GuardLog::GuardLog(GuardLog&&) noexcept = default;
GuardLog& GuardLog::operator=(GuardLog&&) noexcept = default;
GuardLog::~GuardLog() = default;

Result<GuardLog> GuardLog::make(const GuardLogOptions& options) {
  if (!options.output.empty() && options.output != "text" && options.output != "json")
    return fail(ErrorKind::usage, "-o '" + options.output + "': expected one of text, json, none");
  constexpr std::uint64_t most = 0xffffffff;
  if (options.sample == 0 || options.sample > most)
    return fail(ErrorKind::usage, "--sample '" + std::to_string(options.sample) + "': expected 1 to 4294967295");
  const auto directory = guard::find_directory();
  if (!directory) return std::unexpected(directory.error());
  auto reader =
      guard::LogReader::open(*directory, {outcome_bits(options.verdicts), static_cast<std::uint32_t>(options.sample)});
  if (!reader) return std::unexpected(reader.error());
  auto state = std::make_unique<State>(options, std::move(*reader));
  if (!options.write_file.empty()) {
    auto output = exporter::open_output(options.write_file);
    if (!output) return std::unexpected(output.error());
    state->file = exporter::make_pcapng_sink(std::move(*output), {.snaplen = SONDE_GUARD_LOG_BYTES, .filter = {}});
  }
  return GuardLog(std::move(state));
}

GuardLogSummary GuardLog::run() {
  GuardLogSummary summary;
  const auto begin = Clock::now();
  const auto ran = state_->run_until_end(begin);
  summary.duration = Clock::now() - begin;
  const auto finished = state_->finish(summary);
  summary.events = state_->output;
  if (!ran)
    summary.error = ran.error();
  else if (!finished)
    summary.error = finished.error();
  return summary;
}

void GuardLog::stop() noexcept { state_->stopped = true; }

}  // namespace sonde
