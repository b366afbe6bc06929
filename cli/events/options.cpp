// SPDX-License-Identifier: Apache-2.0
#include "events/options.hpp"

#include "filter_options.hpp"
#include "option_group.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

/// Options whose words are checked here, after CLI11 has taken them apart.
struct Words {
  std::vector<std::string> expression;
  std::string count, duration, buffer, map_size, min_size, max_size;
  std::string color = "auto";
  bool quiet = false;
  bool snapshot = false;
};

void add_options(CLI::App& app, const EventCommand& command, EventOptions& options, Words& words) {
  OptionGroup filters(app, command.filters);
  add_endpoint_filters(filters, options.filter);
  if (command.has_packets) add_packet_filters(filters, options.filter, words.min_size, words.max_size);
  add_owner_filters(filters, options.owner.filter);
  add_expression(app, words.expression);
  OptionGroup outputs(app, "What comes out");
  outputs.option("-o,--output", "NAME", options.output, "text: one line each; json: one object a line, then a summary")
      ->capture_default_str();
  outputs.flag("--summary", options.summary, "Only what they add up to, at the end");
  if (command.has_snapshot) outputs.flag("--snapshot", words.snapshot, "What is open now, and end");
  outputs.option("-c,--count", "N", words.count, "End after so many");
  outputs.option("--duration", "TIME", words.duration, "End after this time: 10s, 500ms, 2m");
  outputs.flag("-q,--quiet", words.quiet, "Nothing but the ledger at the end");
  outputs.option("--color", "WHEN", words.color, "auto, always or never")->capture_default_str();
  OptionGroup hooks(app, "How they are found");
  add_owner_tracking(hooks, options.owner, words.map_size);
  hooks.option("--buffer", "BYTES", words.buffer, "Room between kernel and sonde: 64K, 16M. Default: 4M");
}

Result<void> take_count(const std::string& word, EventOptions& options) {
  if (word.empty()) return {};
  const auto count = parse_number("-c", word);
  if (!count) return std::unexpected(count.error());
  if (*count == 0) return fail(ErrorKind::usage, "-c '0': expected at least 1");
  options.count = *count;
  return {};
}

Result<void> take_units(const Words& words, EventOptions& options) {
  if (!words.duration.empty()) {
    const auto duration = parse_duration("--duration", words.duration);
    if (!duration) return std::unexpected(duration.error());
    options.duration = *duration;
  }
  if (words.buffer.empty()) return {};
  const auto buffer = parse_size("--buffer", words.buffer);
  if (!buffer) return std::unexpected(buffer.error());
  options.buffer_bytes = *buffer;
  return {};
}

// A snapshot has no end to wait for.
Result<void> check_snapshot(const Words& words, const EventOptions& options) {
  if (!words.snapshot) return {};
  const char* other = nullptr;
  if (!words.count.empty()) other = "-c";
  if (!words.duration.empty()) other = "--duration";
  if (options.summary) other = "--summary";
  if (words.quiet) other = "--quiet";
  if (other == nullptr) return {};
  return fail(ErrorKind::usage, std::string(other) + ": --snapshot shows what is open now and ends");
}

Result<void> take_words(const Environment& env, const Words& words, EventOptions& options) {
  options.filter.expression = CLI::detail::join(words.expression, " ");
  const auto color = parse_color(words.color, env.out_is_terminal);
  if (!color) return std::unexpected(color.error());
  options.color = *color;
  if (words.quiet && options.summary)
    return fail(ErrorKind::usage, "--quiet: --summary is there to be shown; expected one of the two");
  for (const auto& done : {take_count(words.count, options), take_units(words, options),
                           take_packet_sizes(words.min_size, words.max_size, options.filter),
                           take_owner_map_size(words.map_size, options.owner), check_snapshot(words, options)})
    if (!done) return done;
  return {};
}

}  // namespace

ParsedEvents parse_events(const Environment& env, const EventCommand& command, std::vector<std::string> arguments) {
  CLI::App app{command.description, std::string("sonde ") + command.name};
  app.footer(command.footer);
  EventOptions options;
  Words words;
  add_options(app, command, options, words);
  const auto ended = parse_arguments(env, app, command.name, std::move(arguments));
  if (ended) return {std::nullopt, false, false, *ended};
  const auto taken = take_words(env, words, options);
  if (!taken) return {std::nullopt, false, false, report(env, taken.error())};
  return {options, words.snapshot, words.quiet, well};
}

}  // namespace sonde::cli
