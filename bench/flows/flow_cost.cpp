// SPDX-License-Identifier: Apache-2.0
// flow_cost: nanoseconds a packet of a table of flows, by BPF_PROG_TEST_RUN over packets of many flows. Prints
// {"table", "flows", "ns", "without_ns"}: medians; without: the packets made and passed on to a program that drops
// them.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>

#include "capture/frames.hpp"
#include "capture/run_cost.hpp"
#include "tables.hpp"

namespace sonde::bench {
namespace {

struct Options {
  std::string table = "sonde";
  std::uint32_t flows = 1;
  std::uint32_t repeat = 4'000'000;
  std::uint32_t rounds = 5;
};

Result<void> measure(const Options& options) {
  const auto table = Table::load(options.table, options.flows);
  if (!table) return std::unexpected(table.error());
  const auto nothing = Table::load("drop", options.flows);
  if (!nothing) return std::unexpected(nothing.error());
  const auto source = table->changing_source();
  const auto bare = nothing->changing_source();
  if (!source) return std::unexpected(source.error());
  if (!bare) return std::unexpected(bare.error());
  const auto frame = udp4_frame({}, 64);
  std::vector<double> with, without;
  for (std::uint32_t round = 0; round <= options.rounds; ++round) {
    const auto first = run_cost(*bare, frame, options.repeat);
    const auto second = run_cost(*source, frame, options.repeat);
    if (!first) return std::unexpected(first.error());
    if (!second) return std::unexpected(second.error());
    if (round == 0) continue;  // fills the table
    without.push_back(*first);
    with.push_back(*second);
  }
  fmt::print("{{\"table\": \"{}\", \"flows\": {}, \"ns\": {:.1f}, \"without_ns\": {:.1f}}}\n", options.table,
             options.flows, median(with), median(without));
  return {};
}

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try {
  sonde::bench::Options options;
  CLI::App app{"Cost of a table of flows, nanoseconds a packet."};
  app.add_option("--table", options.table, "sonde, lru, hash, per_cpu, none (the parser only)");
  app.add_option("--flows", options.flows)->check(CLI::PositiveNumber);
  app.add_option("--repeat", options.repeat, "Packets a measurement")->check(CLI::PositiveNumber);
  app.add_option("--rounds", options.rounds, "Measurements of each program")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  const auto done = sonde::bench::measure(options);
  if (!done) fmt::print(stderr, "flow_cost: {}\n", done.error().text());
  return done ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "flow_cost: %s\n", error.what());
  return 1;
}
