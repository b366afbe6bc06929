// SPDX-License-Identifier: Apache-2.0
#include "sonde/capture.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "filter/filter.hpp"
#include "kernel/interfaces.hpp"
#include "pipeline/run.hpp"
#include "registry/outputs.hpp"
#include "registry/sources.hpp"

namespace sonde {

struct Capture::State {
  std::unique_ptr<pipeline::Source> source;
  std::vector<std::unique_ptr<pipeline::Sink>> sinks;
  std::vector<std::string> notices;  ///< of this capture; the source has its own
  pipeline::Limits limits;
  std::atomic<bool> stop{false};
};

namespace {

struct ChosenOutput {
  const registry::OutputEntry* entry;
  std::string path;
};

Result<std::vector<ChosenOutput>> choose_outputs(const CaptureOptions& options) {
  std::vector<ChosenOutput> chosen;
  auto output = registry::find_output(options.output);
  if (!output) return std::unexpected(output.error());
  auto format = registry::find_file_format(options.write_format);
  if (!format) return std::unexpected(format.error());
  if (options.print && options.write_file == "-")
    return fail(ErrorKind::usage,
                "-w '-': standard output carries the packets of -o already; expected a file or --quiet");
  if (options.write_file == "-" && ::isatty(STDOUT_FILENO) == 1)
    return fail(ErrorKind::usage, "-w '-': standard output is a terminal; expected a pipe or a file");
  if (options.print) chosen.push_back({*output, "-"});
  if (!options.write_file.empty()) chosen.push_back({*format, options.write_file});
  return chosen;
}

// The most that any output wants; what the user says wins.
registry::BytesWanted bytes_wanted(const std::vector<ChosenOutput>& outputs, const CaptureOptions& options) {
  registry::BytesWanted all;
  for (const auto& output : outputs) {
    const bool asked = options.snaplen.value_or(0) > 0 && output.entry->uses_snaplen;
    all.wanted = all.wanted || output.entry->bytes.wanted || asked;
    all.snaplen = std::max(all.snaplen, output.entry->bytes.snaplen);
  }
  if (options.snaplen) all.snaplen = *options.snaplen;
  return all;
}

Result<void> check_snaplen(const std::vector<ChosenOutput>& outputs, const CaptureOptions& options) {
  constexpr std::uint32_t most = 65535;
  if (!options.snaplen) return {};
  if (*options.snaplen > most)
    return fail(ErrorKind::usage,
                "--snaplen '" + std::to_string(*options.snaplen) + "': expected 0 to " + std::to_string(most));
  if (*options.snaplen == 0 || outputs.empty()) return {};
  const auto uses = [](const ChosenOutput& output) { return output.entry->uses_snaplen; };
  if (std::ranges::any_of(outputs, uses)) return {};
  return fail(ErrorKind::usage, "--snaplen: output text shows no packet bytes",
              "expected -o json, hex, ascii or decode, or -w FILE");
}

Result<std::vector<std::string>> chosen_interfaces(const CaptureOptions& options) {
  if (!options.read_file.empty() || !options.interfaces.empty()) return options.interfaces;
  const auto ifindex = kernel::default_route_interface();
  if (!ifindex) return std::unexpected(ifindex.error());
  const auto all = kernel::list_interfaces();
  if (!all) return std::unexpected(all.error());
  const auto found = std::ranges::find(*all, *ifindex, &kernel::InterfaceInfo::ifindex);
  return std::vector<std::string>{found == all->end() ? "any" : found->name};
}

Result<std::vector<std::unique_ptr<pipeline::Sink>>> make_sinks(const std::vector<ChosenOutput>& outputs,
                                                                const CaptureOptions& options) {
  std::vector<std::unique_ptr<pipeline::Sink>> sinks;
  for (const auto& output : outputs) {
    auto opened = exporter::open_output(output.path);
    if (!opened) return std::unexpected(opened.error());
    sinks.push_back(output.entry->make(std::move(*opened), options));
  }
  return sinks;
}

template <class Table>
std::vector<Choice> choices(const Table& table) {
  std::vector<Choice> result;
  for (const auto& entry : table) result.push_back({entry.name, entry.description});
  return result;
}

}  // namespace

Capture::Capture(std::unique_ptr<State> state) : state_(std::move(state)) {}
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;
Capture::~Capture() = default;

Result<Capture> Capture::make(const CaptureOptions& options) {
  auto outputs = choose_outputs(options);
  if (!outputs) return std::unexpected(outputs.error());
  auto snaplen = check_snaplen(*outputs, options);
  if (!snaplen) return std::unexpected(snaplen.error());
  auto compiled = filter::compile(options.filter);
  if (!compiled) return std::unexpected(compiled.error());
  auto interfaces = chosen_interfaces(options);
  if (!interfaces) return std::unexpected(interfaces.error());
  const auto bytes = bytes_wanted(*outputs, options);
  const auto shows_owners = [](const ChosenOutput& output) { return output.entry->shows_owners; };
  const registry::SourceRequest request{.options = options,
                                        .interfaces = std::move(*interfaces),
                                        .filter = std::move(*compiled),
                                        .capture_bytes = bytes.wanted,
                                        .snaplen = bytes.snaplen,
                                        .show_owners = std::ranges::any_of(*outputs, shows_owners)};
  auto opened = registry::open_source(options.source, request);
  if (!opened) return std::unexpected(opened.error());
  auto sinks = make_sinks(*outputs, options);
  if (!sinks) return std::unexpected(sinks.error());
  auto state = std::make_unique<State>();
  state->source = std::move(opened->source);
  state->sinks = std::move(*sinks);
  state->notices.push_back(std::move(opened->notice));
  state->limits = {options.count, options.duration};
  return Capture(std::move(state));
}

std::vector<std::string> Capture::notices() const {
  auto notices = state_->notices;
  const auto more = state_->source->notices();
  notices.insert(notices.end(), more.begin(), more.end());
  return notices;
}

CaptureSummary Capture::run() {
  auto outcome = pipeline::run(*state_->source, state_->sinks, state_->limits, state_->stop);
  return {std::move(outcome.summary.loss), outcome.summary.totals, outcome.summary.duration, std::move(outcome.error)};
}

void Capture::stop() noexcept { state_->stop.store(true, std::memory_order_relaxed); }

std::vector<Choice> capture_sources() {
  auto all = choices(registry::sources());
  all.insert(all.begin(), {"auto", "the file of -r; else ebpf; else afpacket, and it says why"});
  return all;
}
std::vector<Choice> capture_outputs() { return choices(registry::outputs()); }
std::vector<Choice> capture_file_formats() { return choices(registry::file_formats()); }

}  // namespace sonde
