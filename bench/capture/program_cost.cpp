// SPDX-License-Identifier: Apache-2.0
// program_cost: nanoseconds a packet of the packets sensor's programs, by BPF_PROG_TEST_RUN, over a program that does
// nothing. Prints one JSON object a case: {"case", "hook", "ns", "empty_ns"}, medians of the rounds.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <thread>

#include "filter/filter.hpp"
#include "frames.hpp"
#include "kernel/object.hpp"
#include "run_cost.hpp"
#include "sensors/packets/program.hpp"
#include "sensors/packets/readers.hpp"

extern "C" {
extern const std::uint8_t sonde_bench_empty_bpf_object[];
extern const std::uint8_t sonde_bench_empty_bpf_object_end[];
}

namespace sonde::bench {
namespace {

struct Options {
  std::uint32_t repeat = 1'000'000;
  std::uint32_t rounds = 7;
};

enum class Hook { xdp, tc };

struct Case {
  const char* name;
  Hook hook;
  FilterOptions filter;
  bool ipv6 = false;
  bool accepts = false;
};

FilterOptions port(const char* word) {
  FilterOptions filter;
  filter.ports = {word};
  return filter;
}

FilterOptions source(const char* network) {
  FilterOptions filter;
  filter.source_networks = {network};
  return filter;
}

FilterOptions expression(const char* text) {
  FilterOptions filter;
  filter.expression = text;
  return filter;
}

// The packets are UDP from port 1024 to port 9.
std::vector<Case> cases() {
  return {
      {"reject: --port 80, IPv4", Hook::xdp, port("80")},
      {"reject: --port 80, IPv6", Hook::xdp, port("80"), true},
      {"reject: --src-ip 10.0.0.0/8, IPv4", Hook::xdp, source("10.0.0.0/8")},
      {"reject: --src-ip fd00::/8, IPv6", Hook::xdp, source("fd00::/8"), true},
      {"reject: tcp port 80, IPv4", Hook::xdp, expression("tcp port 80")},
      {"reject: tcp port 80, IPv6", Hook::xdp, expression("tcp port 80"), true},
      {"reject: udp port 53, IPv4", Hook::xdp, expression("udp port 53")},
      {"reject: udp port 53, IPv6", Hook::xdp, expression("udp port 53"), true},
      {"event into the ring, IPv4", Hook::xdp, {}, false, true},
      {"event into the ring, IPv6", Hook::xdp, {}, true, true},
      {"reject: --port 80, IPv4", Hook::tc, port("80")},
      {"reject: tcp port 80, IPv4", Hook::tc, expression("tcp port 80")},
      {"event into the ring, IPv4", Hook::tc, {}, false, true},
  };
}

/// Empties the ring on another core while it lives.
class Drain {
 public:
  explicit Drain(packets::Reader& reader) : thread_([this, &reader] { run(reader); }) {}
  ~Drain() {
    stop_ = true;
    thread_.join();
  }

 private:
  void run(packets::Reader& reader) {
    const auto batch = std::make_unique<pipeline::PacketBatch>();
    while (!stop_ && reader.read(*batch, std::chrono::milliseconds{1})) continue;
  }

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

Result<kernel::Object> load_sensor(const Case& test, std::size_t buffer_bytes) {
  auto filter = filter::compile(test.filter);
  if (!filter) return std::unexpected(filter.error());
  packets::ProgramOptions options;
  options.filter = std::move(*filter);
  options.xdp = test.hook == Hook::xdp;
  options.ingress = test.hook == Hook::tc;
  options.egress = false;
  options.wakeup_bytes = static_cast<std::uint32_t>(packets::ring_bytes(1, buffer_bytes) / 8);
  return packets::load_program(options);
}

// One measurement of each in turn, so that what disturbs the machine disturbs both.
Result<void> measure(const Case& test, int sensor, int empty, const Options& options) {
  const auto frame = test.ipv6 ? udp6_frame({}, 64) : udp4_frame({}, 64);
  std::vector<double> with, without;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    const auto first = run_cost(empty, frame, options.repeat);
    if (!first) return std::unexpected(first.error());
    const auto second = run_cost(sensor, frame, options.repeat);
    if (!second) return std::unexpected(second.error());
    without.push_back(*first);
    with.push_back(*second);
  }
  fmt::print("{{\"case\": \"{}\", \"hook\": \"{}\", \"ns\": {:.1f}, \"empty_ns\": {:.1f}}}\n", test.name,
             test.hook == Hook::xdp ? "XDP" : "tc", median(with), median(without));
  return {};
}

Result<void> run_case(const Case& test, const kernel::Object& empty, const Options& options) {
  constexpr std::size_t buffer_bytes = 16 * 1024 * 1024;
  const auto sensor = load_sensor(test, buffer_bytes);
  if (!sensor) return std::unexpected(sensor.error());
  auto reader = packets::make_ring_reader(*sensor, 1, buffer_bytes);
  if (!reader) return std::unexpected(reader.error());
  const auto program = sensor->program_fd(test.hook == Hook::xdp ? "sonde_xdp" : "sonde_ingress");
  if (!program) return std::unexpected(program.error());
  const auto nothing = empty.program_fd(test.hook == Hook::xdp ? "empty_xdp" : "empty_tc");
  if (!nothing) return std::unexpected(nothing.error());
  std::optional<Drain> drain;
  if (test.accepts) drain.emplace(**reader);
  return measure(test, *program, *nothing, options);
}

Result<void> run_cases(const Options& options) {
  auto empty = kernel::Object::open({sonde_bench_empty_bpf_object, sonde_bench_empty_bpf_object_end}, "empty");
  if (!empty) return std::unexpected(empty.error());
  auto loaded = empty->load();
  if (!loaded) return loaded;
  for (const auto& test : cases()) {
    auto done = run_case(test, *empty, options);
    if (!done) return done;
  }
  return {};
}

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try {
  sonde::bench::Options options;
  CLI::App app{"Cost of the packets sensor's programs, nanoseconds a packet."};
  app.add_option("--repeat", options.repeat, "Packets a measurement")->check(CLI::PositiveNumber);
  app.add_option("--rounds", options.rounds, "Measurements of each program")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  const auto done = sonde::bench::run_cases(options);
  if (!done) fmt::print(stderr, "program_cost: {}\n", done.error().text());
  return done ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "program_cost: %s\n", error.what());
  return 1;
}
