// SPDX-License-Identifier: Apache-2.0
#include "stats/options.hpp"

#include "option_group.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

struct Words {
  std::string output = "text", interval, duration, count;
  std::string color = "auto";
  bool once = false;
};

Result<void> take_words(const Environment& env, const Words& words, StatsRun& run) {
  if (words.output != "text" && words.output != "json")
    return fail(ErrorKind::usage, "--output '" + words.output + "': expected one of text, json");
  run.json = words.output == "json";
  const auto color = parse_color(words.color, env.out_is_terminal);
  if (!color) return std::unexpected(color.error());
  run.color = *color;
  for (const auto& [option, word, target] : {std::tuple{"--interval", &words.interval, &run.interval},
                                             std::tuple{"--duration", &words.duration, &run.duration}}) {
    if (word->empty()) continue;
    const auto time = parse_duration(option, *word);
    if (!time) return std::unexpected(time.error());
    *target = *time;
  }
  if (words.once && !words.count.empty())
    return fail(ErrorKind::usage, "--once: it is the same as -c 1; expected one of the two");
  if (words.once) run.count = 1;
  if (words.count.empty()) return {};
  const auto count = parse_number("-c", words.count);
  if (!count) return std::unexpected(count.error());
  if (*count == 0) return fail(ErrorKind::usage, "-c '0': expected at least 1");
  run.count = *count;
  return {};
}

constexpr const char* footer =
    "Examples:\n"
    "  sonde stats                             all interfaces, every second\n"
    "  sonde stats -i eth0 --once              one second of one interface\n"
    "  sonde stats -o json --interval 1m       for a program that keeps them";

}  // namespace

ParsedStats parse_stats(const Environment& env, std::vector<std::string> arguments) {
  CLI::App app{"Count packets by interface, direction, size and protocol, beside what the interfaces count themselves.",
               "sonde stats"};
  app.footer(footer);
  StatsRun run;
  Words words;
  OptionGroup sources(app, "Which packets");
  sources.option("-i,--interface", "NAME", run.options.interfaces,
                 "Interface, repeatable; any: all, also those that appear later (default)");
  sources
      .option("--xdp-mode", "MODE", run.options.xdp_mode,
              "Take received packets by XDP: auto, native, generic; off: tc ingress")
      ->capture_default_str();
  OptionGroup outputs(app, "What comes out");
  outputs.option("-o,--output", "NAME", words.output, "text: tables; json: an object an interface and interval")
      ->capture_default_str();
  outputs.option("--interval", "TIME", words.interval, "How often: 500ms, 10s. Default: 1s");
  outputs.option("-c,--count", "N", words.count, "End after so many intervals");
  outputs.flag("--once", words.once, "End after one interval");
  outputs.option("--duration", "TIME", words.duration, "End after this time: 10s, 500ms, 2m");
  outputs.option("--color", "WHEN", words.color, "auto, always or never")->capture_default_str();
  const auto ended = parse_arguments(env, app, "stats", std::move(arguments));
  if (ended) return {std::nullopt, *ended};
  const auto taken = take_words(env, words, run);
  if (!taken) return {std::nullopt, report(env, taken.error())};
  return {run, well};
}

}  // namespace sonde::cli
