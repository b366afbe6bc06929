// SPDX-License-Identifier: Apache-2.0
#include "watch/options.hpp"

#include <fmt/format.h>

#include "filter_options.hpp"
#include "option_group.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

/// Options whose words are checked here, after CLI11 has taken them apart.
struct Words {
  std::vector<std::string> expression, settings, kinds;
  std::string min_size, max_size, max_flows, idle_timeout, buffer, xdp_mode, map_size;
  std::string interval, count, duration, min_severity, ttl, evidence_packets, evidence_snaplen, evidence_files;
  std::string color = "auto";
  bool quiet = false;
  bool no_owners = false;
  bool list_options = false;
};

std::string kind_names() {
  std::string names;
  for (int i = 0; i <= static_cast<int>(SecurityKind::dns_tunnel); ++i)
    names += (i == 0 ? "" : i % 6 == 0 ? ",\n" : ", ") + std::string(security_kind_name(static_cast<SecurityKind>(i)));
  return names;
}

void add_sources(CLI::App& app, FlowOptions& options, Words& words) {
  OptionGroup group(app, "Where flows come from");
  group.option("-i,--interface", "NAME", options.interfaces,
               "Interface, repeatable; eth0+eth1: the two are one; any: all.\nDefault: that of the default route");
  group.option("-r,--read", "FILE", options.read_file,
               "Replay a pcap or pcapng file; - is standard input. No root needed");
  group.option("--source", "NAME", options.source, "auto, ebpf, afpacket or file")->capture_default_str();
  group.option("--xdp-mode", "MODE", words.xdp_mode,
               "Count received packets by XDP, without owners: auto, native, generic or off (default)");
  group.option("--max-flows", "N", words.max_flows, "Room for flows in the kernel. Default: 65536");
  group.option("--idle-timeout", "TIME", words.idle_timeout,
               "A flow without a packet for so long has ended. Default: 60s");
  group.option("--buffer", "BYTES", words.buffer, "Room between kernel and sonde: 64K, 16M. Default: 4M");
  group.flag("--no-owners", words.no_owners, "Do not look for the owners of flows");
  add_owner_tracking(group, options.owner, words.map_size);
}

void add_detection(CLI::App& app, WatchOptions& options, Words& words) {
  OptionGroup group(app, "What is looked for");
  group.option("--set", "KEY=VALUE", words.settings, "A threshold of a detector, repeatable: scan.ports=30");
  group.flag("--list-options", words.list_options, "All thresholds with their defaults and the reasons, and end");
  group.option("--min-severity", "NAME", words.min_severity,
               "Show what is at least this: info, low, medium or high.\nDefault: info");
  group.option("--kind", "NAME", words.kinds, "Show these only, repeatable:\n" + kind_names());
  group.option("--local", "NETWORK", options.local,
               "Address or CIDR of this host or site, repeatable, beside the interfaces'\naddresses; "
               "of a file: whose packets are outbound");
  group.option("--country-file", "FILE", options.country_file,
               "MaxMind database, for destinations that are new by country");
  group.option("--interval", "TIME", words.interval, "How often flows are looked at. Default: 500ms");
}

void add_responses(CLI::App& app, WatchOptions& options, Words& words) {
  OptionGroup group(app, "What is done");
  group
      .option("--respond", "MODE", options.response.mode,
              "print: tell how to stop it; block: do it, by rules of the guard")
      ->capture_default_str();
  group.option("--ttl", "TIME", words.ttl, "How long --respond block blocks. Default: 10m");
  group.flag("--respond-dry-run", options.response.dry_run, "Rules of --respond block only count");
  group.option("--evidence", "DIR", options.evidence.directory,
               "Packets of each event as a pcapng file in this directory");
  group.option("--evidence-packets", "N", words.evidence_packets, "At most so many in a file. Default: 10000");
  group.option("--evidence-snaplen", "BYTES", words.evidence_snaplen, "Bytes of each packet. Default: 512");
  group.option("--evidence-files", "N", words.evidence_files, "At most so many files. Default: 100");
}

void add_outputs(CLI::App& app, WatchOptions& options, Words& words) {
  OptionGroup group(app, "What comes out");
  group
      .option("-o,--output", "NAME", options.output, "text: a block an event; json: one object a line, then a summary")
      ->capture_default_str();
  group.option("-c,--count", "N", words.count, "End after so many events");
  group.option("--duration", "TIME", words.duration, "End after this time: 10s, 500ms, 2m");
  group.flag("-q,--quiet", words.quiet, "Nothing but the ledger at the end");
  group.option("--color", "WHEN", words.color, "auto, always or never")->capture_default_str();
}

/// One row an option: its word, if there is one, goes to its place.
template <class Number>
Result<void> take_number(const char* name, const std::string& word, std::uint64_t most, Number& target) {
  if (word.empty()) return {};
  const auto number = parse_number(name, word, most);
  if (!number) return std::unexpected(number.error());
  if (*number == 0) return fail(ErrorKind::usage, std::string(name) + " '0': expected at least 1");
  target = static_cast<Number>(*number);
  return {};
}

Result<void> take_time(const char* name, const std::string& word, std::chrono::nanoseconds& target) {
  if (word.empty()) return {};
  const auto time = parse_duration(name, word);
  if (!time) return std::unexpected(time.error());
  target = *time;
  return {};
}

Result<void> take_numbers(const Words& words, WatchOptions& options) {
  constexpr std::uint64_t most_flows = 16 * 1024 * 1024;
  for (const auto& done :
       {take_packet_sizes(words.min_size, words.max_size, options.flows.filter),
        take_owner_map_size(words.map_size, options.flows.owner),
        take_number("--max-flows", words.max_flows, most_flows, options.flows.max_flows),
        take_number("-c", words.count, UINT64_MAX, options.count),
        take_number("--evidence-packets", words.evidence_packets, UINT32_MAX, options.evidence.packets),
        take_number("--evidence-snaplen", words.evidence_snaplen, 65535, options.evidence.snaplen),
        take_number("--evidence-files", words.evidence_files, 100'000, options.evidence.files),
        take_time("--idle-timeout", words.idle_timeout, options.flows.idle_timeout),
        take_time("--interval", words.interval, options.interval),
        take_time("--duration", words.duration, options.duration), take_time("--ttl", words.ttl, options.response.ttl)})
    if (!done) return done;
  if (words.buffer.empty()) return {};
  const auto buffer = parse_size("--buffer", words.buffer);
  if (!buffer) return std::unexpected(buffer.error());
  options.flows.buffer_bytes = *buffer;
  return {};
}

Result<void> take_settings(const std::vector<std::string>& settings, SecurityConfig& config) {
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos)
      return fail(ErrorKind::usage, "--set '" + setting + "': expected KEY=VALUE, such as scan.ports=30");
    auto done = config.set(std::string_view(setting).substr(0, equals), std::string_view(setting).substr(equals + 1));
    if (!done) return fail(done.error().kind, "--set " + done.error().message, done.error().hint);
  }
  return {};
}

Result<void> take_choices(const Words& words, WatchOptions& options) {
  for (const auto& word : words.kinds) {
    const auto kind = parse_security_kind(word);
    if (!kind) return std::unexpected(kind.error());
    options.kinds.push_back(*kind);
  }
  if (words.min_severity.empty()) return {};
  const auto severity = parse_severity(words.min_severity);
  if (!severity) return std::unexpected(severity.error());
  options.min_severity = *severity;
  return {};
}

// What would be parsed and make no difference.
Result<void> check_combinations(const Words& words, const WatchOptions& options) {
  struct Needs {
    bool given;
    const char* option;
    bool met;
    const char* needed;
  };
  const bool evidence = !options.evidence.directory.empty();
  const Needs table[] = {
      {!words.ttl.empty(), "--ttl", options.response.mode == "block", "--respond block"},
      {!words.evidence_packets.empty(), "--evidence-packets", evidence, "--evidence DIR"},
      {!words.evidence_snaplen.empty(), "--evidence-snaplen", evidence, "--evidence DIR"},
      {!words.evidence_files.empty(), "--evidence-files", evidence, "--evidence DIR"},
      {!words.duration.empty(), "--duration", options.flows.read_file.empty() || options.flows.read_file == "-",
       "a live source: a file has an end"},
  };
  for (const auto& row : table)
    if (row.given && !row.met) return fail(ErrorKind::usage, std::string(row.option) + ": expected " + row.needed);
  return {};
}

Result<void> take_words(const Environment& env, const Words& words, WatchOptions& options) {
  options.flows.filter.expression = CLI::detail::join(words.expression, " ");
  if (!words.xdp_mode.empty()) options.flows.xdp_mode = words.xdp_mode;
  if (words.no_owners) options.flows.owners = false;
  const auto color = parse_color(words.color, env.out_is_terminal);
  if (!color) return std::unexpected(color.error());
  options.color = *color;
  for (const auto& done : {take_numbers(words, options), take_settings(words.settings, options.config),
                           take_choices(words, options), check_combinations(words, options)})
    if (!done) return done;
  if (words.quiet) options.output.clear();
  return {};
}

constexpr const char* footer =
    "The last lines are the events and the loss ledger, on standard error.\n"
    "Examples:\n"
    "  sonde watch                                    the default interface, until Ctrl-C\n"
    "  sonde watch -i any --min-severity medium -o json\n"
    "  sonde watch --set scan.ports=30 --set flood.enabled=off\n"
    "  sonde watch -i eth0 --respond block --ttl 10m  block who scans or floods, for ten minutes\n"
    "  sonde watch -r trace.pcapng --local 10.0.0.0/8 the same questions to a file, without root";

}  // namespace

void print_security_options(std::ostream& out) {
  for (const auto& option : security_options()) {
    const std::string_view unit = option.unit;
    out << fmt::format("{} = {}{}{}  ({} to {})\n    {}\n", option.key, option.value, unit.empty() ? "" : " ", unit,
                       option.least, option.most, option.description);
    if (*option.reason != '\0') out << "    why: " << option.reason << '\n';
  }
}

ParsedWatch parse_watch(const Environment& env, std::vector<std::string> arguments) {
  CLI::App app{"Tell of scans, floods, spoofing and other things that should not be, as they happen.", "sonde watch"};
  app.footer(footer);
  WatchOptions options;
  Words words;
  add_sources(app, options.flows, words);
  OptionGroup filters(app, "Which packets (all must hold; what is left out is not looked at)");
  add_endpoint_filters(filters, options.flows.filter);
  add_packet_filters(filters, options.flows.filter, words.min_size, words.max_size);
  add_expression(app, words.expression);
  add_detection(app, options, words);
  add_responses(app, options, words);
  add_outputs(app, options, words);
  const auto ended = parse_arguments(env, app, "watch", std::move(arguments));
  if (ended) return {std::nullopt, *ended};
  if (words.list_options) {
    print_security_options(env.out);
    return {std::nullopt, well};
  }
  const auto taken = take_words(env, words, options);
  if (!taken) return {std::nullopt, report(env, taken.error())};
  return {options, well};
}

}  // namespace sonde::cli
