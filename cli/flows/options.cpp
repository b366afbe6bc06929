// SPDX-License-Identifier: Apache-2.0
#include "flows/options.hpp"

#include "filter_options.hpp"
#include "option_group.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

/// Options whose words are checked here, after CLI11 has taken them apart.
struct Words {
  std::vector<std::string> expression;
  std::string min_size, max_size, owner_map_size, xdp_mode, buffer;
  std::string top, interval, duration, idle_timeout, active_timeout, max_flows, domain;
  std::string color = "auto";
  bool no_owners = false;
  bool quiet = false;
};

void add_sources(CLI::App& app, FlowStreamOptions& options, Words& words) {
  OptionGroup group(app, "Where packets come from");
  group.option("-i,--interface", "NAME", options.flows.interfaces,
               "Interface, repeatable, each with flows of its own; eth0+eth1: the two together;\n"
               "any: all, also those that appear later. Default: that of the default route");
  group.option("-r,--read", "FILE", options.flows.read_file,
               "Replay a pcap or pcapng file; - is standard input. No root needed");
  group
      .option("--source", "NAME", options.flows.source,
              "One of\n  auto: the file of -r; else ebpf; else afpacket, and it says why\n"
              "  ebpf: counted in the kernel\n  afpacket: counted packet by packet, without owners\n  file: that of -r")
      ->capture_default_str();
  group.option("--xdp-mode", "MODE", words.xdp_mode,
               "Take received packets by XDP, without owners: auto, native, generic; off: tc\n"
               "ingress (default)");
  group.option("--max-flows", "N", words.max_flows,
               "Room for flows in the kernel; packets of what is beyond come one by one. Default: 65536");
  group.option("--buffer", "BYTES", words.buffer, "Room for those packets: 64K, 16M. Default: 4M");
}

void add_filters(CLI::App& app, FlowStreamOptions& options, Words& words) {
  OptionGroup packets(app, "Which packets are counted (all must hold)");
  add_endpoint_filters(packets, options.flows.filter);
  add_packet_filters(packets, options.flows.filter, words.min_size, words.max_size);
  add_expression(app, words.expression);
  OptionGroup owners(app, "Whose flows (eBPF; one of its ends; a flow whose owner is not known is left out)");
  add_owner_filters(owners, options.flows.owner.filter);
  add_owner_tracking(owners, options.flows.owner, words.owner_map_size);
  owners.flag("--no-owners", words.no_owners, "Do not look for owners. Saves time on each packet");
}

void add_outputs(CLI::App& app, FlowStreamOptions& options, Words& words) {
  OptionGroup group(app, "What comes out");
  group
      .option("-o,--output", "NAME", options.output,
              "One of\n  text: a table, drawn again every interval\n"
              "  json: a record when a flow ends and every active timeout; with --by an object a group\n"
              "  ipfix: the same records to --export")
      ->capture_default_str();
  group
      .option("--by", "NAME", options.by,
              "Put together by process, container, src (who opened), dst, dst-port, protocol or\n"
              "country; flow: each by itself")
      ->capture_default_str();
  group.option("--country-file", "FILE", options.country_file, "For --by country: a .mmdb file, as MaxMind has them");
  group.option("--sort", "NAME", options.sort, "First comes the most bytes, packets, rate, rtt or retrans")
      ->capture_default_str();
  group.option("--top", "N", words.top, "Rows. Default: what fits the terminal, else 20; with json all");
  group.option("--interval", "TIME", words.interval, "How often: 1s (default), 500ms. A file: once, at its end");
  group.option("--idle-timeout", "TIME", words.idle_timeout, "A flow without a packet for so long ends. Default: 60s");
  group.option("--active-timeout", "TIME", words.active_timeout,
               "A flow that goes on is recorded every so often. Default: 5m");
  group.option("--export", "HOST:PORT", options.export_to, "IPFIX collector, by UDP");
  group.option("--domain", "N", words.domain, "IPFIX: number of the observation domain. Default: 1");
  group.option("--duration", "TIME", words.duration, "End after this time: 10s, 500ms, 2m");
  group.flag("-q,--quiet", words.quiet, "No table and no records; the ledger at the end");
  group.option("--color", "WHEN", words.color, "auto, always or never")->capture_default_str();
}

Result<void> take_number(const char* option, const std::string& word, std::uint64_t least, std::uint64_t most,
                         std::uint32_t& target) {
  if (word.empty()) return {};
  const auto number = parse_number(option, word, most);
  if (!number) return std::unexpected(number.error());
  if (*number < least)
    return fail(ErrorKind::usage, std::string(option) + " '" + word + "': expected at least " + std::to_string(least));
  target = static_cast<std::uint32_t>(*number);
  return {};
}

template <class Target>
Result<void> take_time(const char* option, const std::string& word, Target& target) {
  if (word.empty()) return {};
  const auto time = parse_duration(option, word);
  if (!time) return std::unexpected(time.error());
  target = *time;
  return {};
}

Result<void> take_buffer(const std::string& word, FlowStreamOptions& options) {
  if (word.empty()) return {};
  const auto buffer = parse_size("--buffer", word);
  if (!buffer) return std::unexpected(buffer.error());
  options.flows.buffer_bytes = *buffer;
  return {};
}

// An option that changes nothing here is an error.
Result<void> check(const Words& words, const FlowStreamOptions& options) {
  const bool records = options.output == "ipfix" || (options.output == "json" && options.by == "flow");
  const auto needless = [](const char* option, const std::string& why) {
    return fail(ErrorKind::usage, std::string(option) + ": " + why);
  };
  if (words.quiet && options.output == "ipfix") return needless("--quiet", "-o ipfix prints nothing anyway");
  if (!words.top.empty() && records)
    return needless("--top", "records are given of all flows; expected --by or -o text");
  if (!words.active_timeout.empty() && options.output != "ipfix" && !records)
    return needless("--active-timeout", "it is about records; expected -o json or ipfix, without --by");
  if (!words.domain.empty() && options.output != "ipfix") return needless("--domain", "expected -o ipfix with it");
  if (options.sort != "rate" && records)
    return needless("--sort", "records come as flows end; expected --by or -o text");
  return {};
}

Result<void> take_words(const Environment& env, const Words& words, FlowStreamOptions& options) {
  auto& flows = options.flows;
  flows.filter.expression = CLI::detail::join(words.expression, " ");
  if (!words.xdp_mode.empty()) flows.xdp_mode = words.xdp_mode;
  if (words.no_owners) flows.owners = false;
  const auto color = parse_color(words.color, env.out_is_terminal);
  if (!color) return std::unexpected(color.error());
  options.color = *color;
  if (options.output == "json") options.top = 0;
  for (const auto& done :
       {take_packet_sizes(words.min_size, words.max_size, flows.filter),
        take_owner_map_size(words.owner_map_size, flows.owner), take_buffer(words.buffer, options),
        take_number("--top", words.top, 1, 65536, options.top),
        take_number("--max-flows", words.max_flows, 1, 16 * 1024 * 1024, flows.max_flows),
        take_number("--domain", words.domain, 0, UINT32_MAX, options.observation_domain),
        take_time("--interval", words.interval, options.interval),
        take_time("--duration", words.duration, options.duration),
        take_time("--idle-timeout", words.idle_timeout, flows.idle_timeout),
        take_time("--active-timeout", words.active_timeout, flows.active_timeout), check(words, options)})
    if (!done) return done;
  return {};
}

constexpr const char* footer =
    "The last lines are the loss ledger, on standard error: what every stage took, gave and lost.\n"
    "Examples:\n"
    "  sonde flows                                       what goes on now, on the default interface\n"
    "  sonde flows -i any --by process --sort bytes      who uses the network\n"
    "  sonde flows -i eth0+eth1 --dst-port 443           a router's HTTPS, each connection once\n"
    "  sonde flows -o json --idle-timeout 15s            a line for each flow when it ends\n"
    "  sonde flows -o ipfix --export collector:4739      the same to a collector\n"
    "  sonde flows -r trace.pcapng --by dst              from a file, without root";

}  // namespace

ParsedFlows parse_flows(const Environment& env, std::vector<std::string> arguments) {
  CLI::App app{"Show flows: who talks to whom, how much, how fast, and whose they are.", "sonde flows"};
  app.footer(footer);
  FlowStreamOptions options;
  Words words;
  add_sources(app, options, words);
  add_filters(app, options, words);
  add_outputs(app, options, words);
  const auto ended = parse_arguments(env, app, "flows", std::move(arguments));
  if (ended) return {std::nullopt, false, false, *ended};
  const auto taken = take_words(env, words, options);
  if (!taken) return {std::nullopt, false, false, report(env, taken.error())};
  const bool text = options.output == "text";
  const bool screen = text && env.out_is_terminal && !words.quiet && options.flows.read_file.empty();
  if (words.quiet || screen) options.output.clear();
  return {std::move(options), screen, words.top.empty(), well};
}

}  // namespace sonde::cli
