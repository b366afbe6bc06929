// SPDX-License-Identifier: Apache-2.0
#include "capture/options.hpp"

#include "filter_options.hpp"
#include "option_group.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

/// Options whose words are checked here, after CLI11 has taken them apart.
struct Words {
  std::vector<std::string> interfaces, expression;
  std::string min_size, max_size, snaplen, rings, workers, buffer, count, duration, xdp_mode, transport;
  std::string owner_map_size;
  std::string color = "auto";
  bool quiet = false;
  bool no_owners = false;
  bool no_promiscuous = false;
};

std::string list(const std::vector<Choice>& choices) {
  std::string text;
  for (const auto& choice : choices) text += "\n  " + choice.name + ": " + choice.description;
  return text;
}

void add_sources(CLI::App& app, CaptureOptions& options, Words& words) {
  OptionGroup group(app, "Where packets come from");
  group.option("-i,--interface", "NAME", words.interfaces,
               "Interface, repeatable; any: all, also those that appear later.\n"
               "Default: that of the default route");
  group.option("-r,--read", "FILE", options.read_file,
               "Replay a pcap or pcapng file; - is standard input. No root needed");
  group.option("--source", "NAME", options.source, "One of" + list(capture_sources()))->capture_default_str();
  group.option("--xdp-mode", "MODE", words.xdp_mode,
               "Take received packets by XDP: auto (native, else generic, else tc ingress),\n"
               "native, generic; off: tc ingress, which leaves the device's offloads alone (default)");
  group.option("--transport", "NAME", words.transport, "ring: BPF ring buffer (default); perf: for kernels before 5.8");
  group.option("--rings", "N", words.rings, "Ring buffers, a power of two up to 256, or cpu: one a CPU. Default: 1");
  group.option("--buffer", "BYTES", words.buffer,
               "Room between kernel and sonde, all rings together: 64K, 16M. Default: 16M");
  group.option("--workers", "N", words.workers, "AF_PACKET: threads that share the flows (PACKET_FANOUT). Default: 1");
  group.flag("--no-promiscuous", words.no_promiscuous, "AF_PACKET: only packets that are for this host");
}

void add_filters(CLI::App& app, CaptureOptions& options, Words& words) {
  OptionGroup group(app, "Which packets (all must hold; the kernel leaves the others out before any copy)");
  auto& filter = options.filter;
  add_endpoint_filters(group, filter);
  add_packet_filters(group, filter, words.min_size, words.max_size);
  add_expression(app, words.expression);
}

void add_owners(CLI::App& app, CaptureOptions& options, Words& words) {
  OptionGroup group(app, "Whose packets (eBPF; a packet whose owner is not known is left out)");
  add_owner_filters(group, options.owner.filter);
  add_owner_tracking(group, options.owner, words.owner_map_size);
  group.flag("--no-owners", words.no_owners, "Do not look for the owners of packets. Saves time on each packet");
}

void add_outputs(CLI::App& app, CaptureOptions& options, Words& words) {
  OptionGroup group(app, "What comes out");
  group.option("-o,--output", "NAME", options.output, "One of" + list(capture_outputs()))->capture_default_str();
  group.option("-w,--write", "FILE", options.write_file,
               "Write packets to a file; - is standard output. Lines only with -o");
  group.option("--format", "NAME", options.write_format, "Of the file, one of" + list(capture_file_formats()))
      ->capture_default_str();
  group.option("--snaplen", "BYTES", words.snaplen,
               "Bytes of a packet to take, 0 to 65535; 0: its headers.\nDefault: what the output needs");
  group.option("-c,--count", "N", words.count, "End after this many packets");
  group.option("--duration", "TIME", words.duration, "End after this time: 10s, 500ms, 2m");
  group.flag("-q,--quiet", words.quiet, "No packet lines; the totals and the ledger at the end");
  group.option("--color", "WHEN", words.color, "auto, always or never")->capture_default_str();
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
  for (const auto& done :
       {take_packet_sizes(words.min_size, words.max_size, options.filter),
        number("--snaplen", words.snaplen, 65535, options.snaplen),
        number("--workers", words.workers, 64, options.workers), number("-c", words.count, UINT64_MAX, count),
        words.rings == "cpu" ? Result<void>{} : number("--rings", words.rings, 256, options.rings)})
    if (!done) return done;
  if (words.rings == "cpu") options.rings = 0;
  const char* zero = nullptr;
  if (options.rings == 0U && words.rings != "cpu") zero = "--rings";
  if (options.workers == 0U) zero = "--workers";
  if (count == 0U) zero = "-c";
  if (zero != nullptr) return fail(ErrorKind::usage, std::string(zero) + " '0': expected at least 1");
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

Result<void> take_words(const Environment& env, const CLI::App& app, const Words& words, CaptureOptions& options) {
  options.interfaces = words.interfaces;
  options.filter.expression = CLI::detail::join(words.expression, " ");
  if (!words.xdp_mode.empty()) options.xdp_mode = words.xdp_mode;
  if (!words.transport.empty()) options.transport = words.transport;
  if (words.no_promiscuous) options.promiscuous = false;
  if (words.no_owners) options.owners = false;
  options.print = !words.quiet && (options.write_file.empty() || app.count("-o") > 0);
  const auto color = parse_color(words.color, env.out_is_terminal);
  if (!color) return std::unexpected(color.error());
  options.color = *color;
  for (const auto& done : {take_numbers(words, options), take_units(words, options),
                           take_owner_map_size(words.owner_map_size, options.owner)})
    if (!done) return done;
  return {};
}

constexpr const char* footer =
    "The last lines are the totals and the loss ledger, on standard error: what every stage took, gave and lost.\n"
    "Examples:\n"
    "  sonde capture                                  the default interface, both directions\n"
    "  sonde capture -i any --port 53 -o decode       every DNS question and answer of the host\n"
    "  sonde capture -i eth0 -w trace.pcapng host 10.0.0.7 and tcp port 443\n"
    "  sonde capture --process nginx --direction out  what nginx sends\n"
    "  sonde capture -r trace.pcapng -o json          the same questions to a file, without root";

}  // namespace

ParsedCapture parse_capture(const Environment& env, std::vector<std::string> arguments) {
  CLI::App app{"Show every packet of an interface, received and sent, filtered in the kernel.", "sonde capture"};
  app.footer(footer);
  CaptureOptions options;
  Words words;
  add_sources(app, options, words);
  add_filters(app, options, words);
  add_owners(app, options, words);
  add_outputs(app, options, words);
  const auto ended = parse_arguments(env, app, "capture", std::move(arguments));
  if (ended) return {std::nullopt, *ended};
  const auto taken = take_words(env, app, words, options);
  if (!taken) return {std::nullopt, report(env, taken.error())};
  return {options, well};
}

}  // namespace sonde::cli
