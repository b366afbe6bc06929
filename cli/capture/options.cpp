// SPDX-License-Identifier: Apache-2.0
#include "capture/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>

#include "words.hpp"

namespace sonde::cli {
namespace {

/// Options whose words are checked here, after CLI11 has taken them apart.
struct Words {
  std::vector<std::string> interfaces, expression;
  std::string min_size, max_size, snaplen, rings, workers, buffer, count, duration, xdp_mode, transport;
  std::string color = "auto";
  bool quiet = false;
  bool no_promiscuous = false;
};

std::string list(const std::vector<Choice>& choices) {
  std::string text;
  for (const auto& choice : choices) text += "\n  " + choice.name + ": " + choice.description;
  return text;
}

void add_sources(CLI::App& app, CaptureOptions& options, Words& words) {
  auto& group = *app.add_option_group("Where packets come from");
  group.add_option("-i,--interface", words.interfaces,
                   "Interface, repeatable; any: all, also those that appear later. Default: that of the default route")
      ->allow_extra_args(false);
  group.add_option("-r,--read", options.read_file, "Replay a pcap or pcapng file; - is standard input. No root needed");
  group.add_option("--source", options.source, "One of" + list(capture_sources()))->capture_default_str();
  group.add_option("--xdp-mode", words.xdp_mode,
                   "Take received packets by XDP: auto (native, else generic, else tc ingress), native, generic; "
                   "off: tc ingress, which leaves the device's offloads alone (default)");
  group.add_option("--transport", words.transport, "ring: BPF ring buffer (default); perf: for kernels before 5.8");
  group.add_option("--rings", words.rings, "Ring buffers, a power of two up to 256, or cpu: one a CPU. Default: 1");
  group.add_option("--buffer", words.buffer, "Bytes between kernel and sonde, all rings together. Default: 16M");
  group.add_option("--workers", words.workers, "AF_PACKET: threads that share the flows (PACKET_FANOUT). Default: 1");
  group.add_flag("--no-promiscuous", words.no_promiscuous, "AF_PACKET: only packets that are for this host");
}

void add_filters(CLI::App& app, CaptureOptions& options, Words& words) {
  auto& group = *app.add_option_group("Which packets (all must hold; the kernel drops the others before any copy)");
  auto& filter = options.filter;
  group.add_option("--protocol", filter.protocol, "tcp, udp, icmp, icmp6, sctp, a number, or all")
      ->capture_default_str();
  group.add_option("--src-ip", filter.source_networks, "Source address or CIDR, IPv4 or IPv6; a list: one of them")
      ->allow_extra_args(false);
  group.add_option("--dst-ip", filter.destination_networks, "Destination address or CIDR")->allow_extra_args(false);
  group.add_option("--ip", filter.networks, "Source or destination address or CIDR")->allow_extra_args(false);
  group.add_option("--src-port", filter.source_ports, "Source port, range or list: 443, 8000-8080, 80,443")
      ->allow_extra_args(false);
  group.add_option("--dst-port", filter.destination_ports, "Destination port, range or list")->allow_extra_args(false);
  group.add_option("--port", filter.ports, "Source or destination port, range or list")->allow_extra_args(false);
  group.add_option("--direction", filter.direction, "in, out or both")->capture_default_str();
  group.add_option("--min-size", words.min_size, "Bytes of the packet, link header included, at least");
  group.add_option("--max-size", words.max_size, "Bytes of the packet, at most");
  group.add_option("expression", words.expression, "pcap-filter(7) expression: tcp port 443 and not host 10.0.0.1");
}

void add_outputs(CLI::App& app, CaptureOptions& options, Words& words) {
  auto& group = *app.add_option_group("What comes out");
  group.add_option("-o,--output", options.output, "One of" + list(capture_outputs()))->capture_default_str();
  group.add_option("-w,--write", options.write_file, "Write packets to a file; - is standard output. No lines unless -o");
  group.add_option("--format", options.write_format, "Of the file, one of" + list(capture_file_formats()))
      ->capture_default_str();
  group.add_option("--snaplen", words.snaplen,
                   "Bytes of a packet to take, 0 to 65535; 0: its headers. Default: what the output needs");
  group.add_option("-c,--count", words.count, "End after this many packets");
  group.add_option("--duration", words.duration, "End after this time: 10s, 500ms, 2m");
  group.add_flag("-q,--quiet", words.quiet, "No packet lines; the totals and the ledger at the end");
  group.add_option("--color", words.color, "auto, always or never")->capture_default_str();
}

// One row an option: does its word parse, and where does the value go?
Result<void> take_numbers(const Words& words, CaptureOptions& options) {
  const auto number = [](const char* name, const std::string& word, std::uint64_t most, auto& target) -> Result<void> {
    if (word.empty()) return {};
    const auto parsed = parse_number(name, word, most);
    if (!parsed) return std::unexpected(parsed.error());
    target = static_cast<typename std::remove_reference_t<decltype(target)>::value_type>(*parsed);
    return {};
  };
  std::optional<std::uint64_t> count;
  for (const auto& done : {number("--min-size", words.min_size, UINT32_MAX, options.filter.min_size),
                           number("--max-size", words.max_size, UINT32_MAX, options.filter.max_size),
                           number("--snaplen", words.snaplen, 65535, options.snaplen),
                           number("--workers", words.workers, 64, options.workers),
                           number("-c", words.count, UINT64_MAX, count),
                           words.rings == "cpu" ? Result<void>{}
                                                : number("--rings", words.rings, 256, options.rings)})
    if (!done) return done;
  if (words.rings == "cpu") options.rings = 0;
  if ((options.rings == 0U && words.rings != "cpu") || count == 0U || options.workers == 0U)
    return fail(ErrorKind::usage, std::string(count == 0U ? "-c" : options.workers == 0U ? "--workers" : "--rings") +
                                      " '0': expected at least 1");
  options.count = count.value_or(0);
  return {};
}

Result<void> take_units(const Words& words, CaptureOptions& options) {
  if (!words.duration.empty()) {
    const auto duration = parse_duration("--duration", words.duration);
    if (!duration) return std::unexpected(duration.error());
    options.duration = *duration;
  }
  if (!words.buffer.empty()) {
    const auto buffer = parse_size("--buffer", words.buffer);
    if (!buffer) return std::unexpected(buffer.error());
    options.buffer_bytes = *buffer;
  }
  return {};
}

Result<void> take_color(const Environment& env, const Words& words, CaptureOptions& options) {
  if (words.color != "auto" && words.color != "always" && words.color != "never")
    return fail(ErrorKind::usage, "--color '" + words.color + "': expected one of auto, always, never");
  options.color = words.color == "always" || (words.color == "auto" && env.out_is_terminal);
  return {};
}

Result<void> take_words(const Environment& env, const CLI::App& app, const Words& words, CaptureOptions& options) {
  options.interfaces = words.interfaces;
  options.filter.expression = CLI::detail::join(words.expression, " ");
  if (!words.xdp_mode.empty()) options.xdp_mode = words.xdp_mode;
  if (!words.transport.empty()) options.transport = words.transport;
  if (words.no_promiscuous) options.promiscuous = false;
  options.print = !words.quiet && (options.write_file.empty() || app.count("-o") > 0);
  for (const auto& done : {take_numbers(words, options), take_units(words, options), take_color(env, words, options)})
    if (!done) return done;
  return {};
}

constexpr const char* footer =
    "The last lines are the totals and the loss ledger, on standard error: what every stage took, gave and lost.\n"
    "Examples:\n"
    "  sonde capture                                  the default interface, both directions\n"
    "  sonde capture -i any --port 53 -o decode       every DNS question and answer of the host\n"
    "  sonde capture -i eth0 -w trace.pcapng host 10.0.0.7 and tcp port 443\n"
    "  sonde capture -r trace.pcapng -o json          the same questions to a file, without root";

}  // namespace

ParsedCapture parse_capture(const Environment& env, std::vector<std::string> arguments) {
  CLI::App app{"Show every packet of an interface, received and sent, filtered in the kernel.", "sonde capture"};
  app.footer(footer);
  CaptureOptions options;
  Words words;
  add_sources(app, options, words);
  add_filters(app, options, words);
  add_outputs(app, options, words);
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    env.out << app.help();
    return {};
  } catch (const CLI::ParseError& error) {
    env.err << "sonde: capture: " << error.what() << "\n`sonde capture --help` lists the options\n";
    return {std::nullopt, usage};
  }
  const auto taken = take_words(env, app, words, options);
  if (!taken) return {std::nullopt, report(env, taken.error())};
  return {options, well};
}

}  // namespace sonde::cli
