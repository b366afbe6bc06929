// SPDX-License-Identifier: Apache-2.0
// guard_bench COMMAND: what bench.py measures the guard with.
//   cost           nanoseconds that the guard adds to a packet that passes, by BPF_PROG_TEST_RUN
//   hold           attaches a filter with rules to an interface (native XDP) until it is interrupted
//   send           sends frames with many sources out of an interface, as fast as one core can
//   rules          prints rule sets for other programs
//   fill           puts addresses into the pinned hash map of another filter
//   compile        time to compile and load a rule set
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>

#include "actuators/guard/tables/rule_set_map.hpp"
#include "base/wall_clock.hpp"
#include "capture/frames.hpp"
#include "capture/run_cost.hpp"
#include "kernel/attach.hpp"
#include "kernel/object.hpp"
#include "rule_sets.hpp"

extern "C" {
extern const std::uint8_t sonde_guard_bpf_object[];
extern const std::uint8_t sonde_guard_bpf_object_end[];
extern const std::uint8_t sonde_bench_guard_bpf_object[];
extern const std::uint8_t sonde_bench_guard_bpf_object_end[];
}

namespace sonde::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint32_t rules = 0;
  std::string kind;
  std::string interface;
  std::string destination;
  std::string format = "plain";
  std::string pin;
  double seconds = 1;
  std::uint32_t repeat = 2'000'000;
  std::uint32_t rounds = 7;
  bool mixed = false;
};

std::vector<Cidr> cidrs(const Options& options) {
  return options.mixed ? networks(options.rules) : addresses(options.rules);
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Result<kernel::Object> load_guard() {
  auto object = kernel::Object::open({sonde_guard_bpf_object, sonde_guard_bpf_object_end}, "guard");
  if (!object) return object;
  if (auto done = object->load(); !done) return std::unexpected(done.error());
  return object;
}

Result<kernel::Object> load_bench(std::uint32_t ifindex, std::uint32_t sources, std::uint32_t addresses_held) {
  auto object = kernel::Object::open({sonde_bench_guard_bpf_object, sonde_bench_guard_bpf_object_end}, "guard_bench");
  if (!object) return object;
  for (const auto& done : {object->set_constant("ifindex", ifindex), object->set_constant("rules", sources),
                           object->set_constant("multiplier", address_multiplier),
                           object->set_max_entries("addresses", std::max(1U, addresses_held)), object->load()})
    if (!done) return std::unexpected(done.error());
  return object;
}

Result<guard::RuleSetMap> install(const kernel::Object& object, const std::vector<GuardRule>& rules) {
  guard::CompileOptions options;
  options.cpus = kernel::possible_cpus();
  options.wall_now_ns = options.monotonic_now_ns = monotonic_ns();
  auto blob = guard::compile(rules, {}, options);
  if (!blob) return std::unexpected(blob.error());
  auto map = guard::RuleSetMap::create(*blob);
  if (!map) return map;
  const auto slot = object.map_fd("guard_rules");
  if (!slot) return std::unexpected(slot.error());
  if (auto done = guard::replace_rule_set(*slot, *map); !done) return std::unexpected(done.error());
  return map;
}

Result<void> fill_hash(int map, std::uint32_t count, std::vector<std::uint8_t> value) {
  for (const auto& cidr : addresses(count)) {
    const std::uint32_t key = __builtin_bswap32(cidr.address);
    if (auto done = kernel::map_update(map, &key, value.data()); !done) return done;
  }
  return {};
}

std::vector<std::uint8_t> zero_value() {
  return std::vector<std::uint8_t>(8 * static_cast<std::size_t>(kernel::possible_cpus()));
}

/// Both run behind the same program that changes the source address, in turn.
struct Measured {
  double guard_ns, empty_ns;
};

Result<Measured> measure(const kernel::Object& bench, int guard_program, const Options& options) {
  const auto run = bench.program_fd("run_target");
  const auto empty = bench.program_fd("empty_pass");
  const auto target = bench.map_fd("target");
  if (!run || !empty || !target) return fail(ErrorKind::failed, "the bench's object lacks a part");
  const auto frame = udp4_frame({}, 64);
  std::vector<double> with, without;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    for (const bool guarded : {false, true}) {
      const std::uint32_t slot = 0;
      const int program = guarded ? guard_program : *empty;
      if (auto done = kernel::map_update(*target, &slot, &program); !done) return std::unexpected(done.error());
      const auto ns = run_cost(*run, frame, options.repeat);
      if (!ns) return std::unexpected(ns.error());
      (guarded ? with : without).push_back(*ns);
    }
  }
  return Measured{median(with), median(without)};
}

Result<void> cost(const Options& options) {
  auto guard = load_guard();
  if (!guard) return std::unexpected(guard.error());
  const auto rule_set = install(*guard, block_rules(cidrs(options)));
  if (!rule_set) return std::unexpected(rule_set.error());
  const bool hash = options.kind == "hash_filter";
  auto bench = load_bench(0, options.kind == "pass" ? 0 : options.rules, hash ? options.rules : 0);
  if (!bench) return std::unexpected(bench.error());
  if (hash)
    if (auto done = fill_hash(*bench->map_fd("addresses"), options.rules, zero_value()); !done) return done;
  const auto program = hash ? bench->program_fd("hash_filter") : guard->program_fd("guard_xdp");
  if (!program) return std::unexpected(program.error());
  const auto measured = measure(*bench, *program, options);
  if (!measured) return std::unexpected(measured.error());
  const std::uint32_t element = 0;
  const auto slot = guard->map_fd("guard_totals");
  const auto totals = kernel::sum_per_cpu<sonde_guard_totals>(*slot, &element);
  if (!totals) return std::unexpected(totals.error());
  fmt::print("{{\"guard_ns\": {:.2f}, \"empty_ns\": {:.2f}, \"passed\": {}, \"dropped\": {}}}\n", measured->guard_ns,
             measured->empty_ns, totals->outcomes[SONDE_GUARD_PASSED].packets,
             totals->outcomes[SONDE_GUARD_DROPPED_BLOCK].packets);
  return {};
}

void wait_for_interrupt() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::fputs("ready\n", stderr);
  int received = 0;
  sigwait(&signals, &received);
}

Result<void> hold(const Options& options) {
  auto guard = load_guard();
  if (!guard) return std::unexpected(guard.error());
  auto bench = load_bench(0, 0, options.rules);
  if (!bench) return std::unexpected(bench.error());
  std::optional<guard::RuleSetMap> rule_set;
  if (options.kind == "guard") {
    auto installed = install(*guard, block_rules(cidrs(options)));
    if (!installed) return std::unexpected(installed.error());
    rule_set.emplace(std::move(*installed));
  } else if (options.kind == "hash_filter") {
    if (auto done = fill_hash(*bench->map_fd("addresses"), options.rules, zero_value()); !done) return done;
  }
  const auto program = options.kind == "guard" ? guard->program_fd("guard_xdp") : bench->program_fd(options.kind);
  if (!program) return std::unexpected(program.error());
  const auto link = kernel::attach_xdp(*program, ::if_nametoindex(options.interface.c_str()), kernel::XdpMode::native);
  if (!link) return std::unexpected(link.error());
  wait_for_interrupt();
  const std::uint32_t element = 0;
  const auto totals = kernel::sum_per_cpu<sonde_guard_totals>(*guard->map_fd("guard_totals"), &element);
  if (!totals) return std::unexpected(totals.error());
  fmt::print("{{\"passed\": {}, \"dropped\": {}}}\n", totals->outcomes[SONDE_GUARD_PASSED].packets,
             totals->outcomes[SONDE_GUARD_DROPPED_BLOCK].packets);
  return {};
}

Result<Mac> parse_mac(const std::string& text) {
  unsigned bytes[6];
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", bytes, bytes + 1, bytes + 2, bytes + 3, bytes + 4, bytes + 5) != 6)
    return fail(ErrorKind::usage, "--destination '" + text + "': expected a MAC address");
  Mac mac;
  std::ranges::transform(bytes, mac.begin(), [](unsigned byte) { return static_cast<std::uint8_t>(byte); });
  return mac;
}

Result<void> send_frames(int program, std::vector<std::uint8_t> frame, std::uint32_t count) {
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = frame.data();
  run.data_size_in = static_cast<std::uint32_t>(frame.size());
  run.ctx_in = &context;
  run.ctx_size_in = sizeof(context);
  run.repeat = static_cast<int>(count);
  run.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  run.batch_size = 64;
  if (::bpf_prog_test_run_opts(program, &run) != 0) return fail_errno("cannot send live frames");
  return {};
}

Result<void> send(const Options& options) {
  constexpr std::uint32_t at_once = 64 * 1024;
  const auto destination = parse_mac(options.destination);
  if (!destination) return std::unexpected(destination.error());
  const auto ifindex = ::if_nametoindex(options.interface.c_str());
  if (ifindex == 0) return fail_errno("--interface '" + options.interface + "'");
  auto bench = load_bench(ifindex, options.rules, 0);
  if (!bench) return std::unexpected(bench.error());
  const auto program = bench->program_fd("send_frame");
  if (!program) return std::unexpected(program.error());
  // Attached somewhere, it stays in the kernel's XDP dispatcher between the calls.
  const auto link = kernel::attach_xdp(*program, ::if_nametoindex("lo"), kernel::XdpMode::generic);
  if (!link) return std::unexpected(link.error());
  const auto start = Clock::now();
  std::uint64_t sent = 0;
  for (; seconds_since(start) < options.seconds; sent += at_once)
    if (auto done = send_frames(*program, udp4_frame(*destination, 64), at_once); !done) return done;
  fmt::print("{{\"sent\": {}, \"seconds\": {:.6f}}}\n", sent, seconds_since(start));
  return {};
}

Result<void> print_rules(const Options& options) {
  const auto list = cidrs(options);
  if (options.format == "plain") {
    for (const auto& cidr : list) fmt::print("{}\n", text(cidr));
    return {};
  }
  fmt::print("table netdev guard_bench {{\n set peers {{ type ipv4_addr; flags interval; elements = {{\n");
  for (const auto& cidr : list) fmt::print("{},\n", text(cidr));
  fmt::print("}}\n}}\n chain in {{ type filter hook ingress device \"{}\" priority 0; ip saddr @peers drop\n}}\n}}\n",
             options.interface);
  return {};
}

// The value of the one address that is there says how this filter writes a source.
Result<void> fill(const Options& options) {
  const Fd map(bpf_obj_get(options.pin.c_str()));
  if (!map) return fail_errno("cannot open " + options.pin);
  std::uint32_t key = 0;
  auto value = zero_value();
  auto found = kernel::map_next_key(map.get(), nullptr, &key);
  if (!found || !*found) return fail(ErrorKind::failed, "the map is empty");
  if (auto read = kernel::map_lookup(map.get(), &key, value.data()); !read) return std::unexpected(read.error());
  return fill_hash(map.get(), options.rules, value);
}

Result<void> time_compile(const Options& options) {
  auto guard = load_guard();
  if (!guard) return std::unexpected(guard.error());
  const auto rules = block_rules(cidrs(options));
  std::vector<double> seconds;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    const auto start = Clock::now();
    if (const auto done = install(*guard, rules); !done) return std::unexpected(done.error());
    seconds.push_back(seconds_since(start));
  }
  fmt::print("{{\"seconds\": {:.3f}}}\n", median(seconds));
  return {};
}

using Command = Result<void> (*)(const Options&);

struct Entry {
  const char* name;
  const char* help;
  Command run;
};

constexpr Entry commands[] = {{"cost", "Nanoseconds of the guard a packet", cost},
                              {"hold", "Attach a filter until interrupted", hold},
                              {"send", "Send frames", send},
                              {"rules", "Print a rule set", print_rules},
                              {"fill", "Fill the pinned map of another filter", fill},
                              {"compile", "Time to compile and load", time_compile}};

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try {
  sonde::bench::Options options;
  CLI::App app{"Measures the guard."};
  app.require_subcommand(1);
  sonde::bench::Command command = nullptr;
  for (const auto& entry : sonde::bench::commands) {
    auto* sub = app.add_subcommand(entry.name, entry.help);
    sub->callback([&command, run = entry.run] { command = run; });
    sub->add_option("--rules", options.rules, "How many");
    sub->add_flag("--mixed", options.mixed, "Networks of many lengths instead of single addresses");
    sub->add_option("--kind", options.kind,
                    "hold: guard, hash_filter, empty_pass, empty_drop; cost: pass, hit, hash_filter");
    sub->add_option("--interface", options.interface);
    sub->add_option("--destination", options.destination, "MAC address");
    sub->add_option("--format", options.format, "plain, nft");
    sub->add_option("--pin", options.pin, "Path of the map");
    sub->add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
    sub->add_option("--repeat", options.repeat)->check(CLI::PositiveNumber);
    sub->add_option("--rounds", options.rounds)->check(CLI::PositiveNumber);
  }
  CLI11_PARSE(app, argc, argv);
  const auto done = command(options);
  if (!done) fmt::print(stderr, "guard_bench: {}\n", done.error().text());
  return done ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "guard_bench: %s\n", error.what());
  return 1;
}
