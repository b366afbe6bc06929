// SPDX-License-Identifier: Apache-2.0
// flow_sink: counts the packets of an interface in a table of flows behind native XDP, drops them, and collects every
// second until SIGINT. Or, with --table source, is what `sonde flows` is without its output: tc hooks and owners, and
// the packets go on. Prints "ready" on standard error, at the end one JSON object.
#include <fmt/format.h>
#include <net/if.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <thread>

#include "base/wall_clock.hpp"
#include "filter/filter.hpp"
#include "kernel/attach.hpp"
#include "sensors/flows/flow_slots.hpp"
#include "sensors/flows/flows.hpp"
#include "sensors/flows/kernel_table.hpp"
#include "sensors/flows/program.hpp"
#include "sensors/packets/attachment.hpp"
#include "tables.hpp"

namespace sonde::bench {
namespace {

struct Options {
  std::string interface;
  std::string table = "sonde";
  std::uint32_t flows = 65536;
  double interval = 1;
};

volatile std::sig_atomic_t stop = 0;

void wait_interval(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (stop == 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds{5});
}

double thread_cpu() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The collections of sonde's table, and what they cost.
class Collector {
 public:
  explicit Collector(flows::FlowSlots slots) : table_(std::move(slots)) {}

  Result<void> collect(bool last) {
    shown_ = 0;
    const double start = thread_cpu();
    auto done = table_.collect(
        {.now_ns = static_cast<std::uint64_t>(monotonic_ns()),
         .idle_timeout = std::chrono::seconds(3600),
         .last = last},
        next_id_,
        [&](std::uint32_t, const pipeline::FlowSample& sample) {
          ++shown_;
          packets_ += sample.delta[0].packets + sample.delta[1].packets;
        },
        [] {});
    const double spent = thread_cpu() - start;
    if (!last && shown_ >= most_) most_ = shown_, most_cpu_ = spent;
    if (last) last_cpu_ = spent;
    return done;
  }

  [[nodiscard]] std::string text() const {
    return fmt::format(R"(, "summed": {}, "most": {}, "most_cpu": {:.4f}, "last": {}, "last_cpu": {:.4f})", packets_,
                       most_, most_cpu_, shown_, last_cpu_);
  }

 private:
  flows::KernelTable table_;
  std::uint64_t next_id_ = 1;
  std::uint64_t packets_ = 0;
  std::uint64_t shown_ = 0;
  std::uint64_t most_ = 0;  ///< flows of the largest collection
  double most_cpu_ = 0;
  double last_cpu_ = 0;
};

Result<std::string> run_table(const Options& options) {
  auto table = Table::load(options.table, options.flows);
  if (!table) return std::unexpected(table.error());
  const auto program = table->program();
  if (!program) return std::unexpected(program.error());
  std::optional<Collector> collector;
  if (options.table == "sonde") {
    auto slots = flows::FlowSlots::make(table->object(), flows::bucket_count(options.flows));
    if (!slots) return std::unexpected(slots.error());
    collector.emplace(std::move(*slots));
  }
  auto link = kernel::attach_xdp(*program, ::if_nametoindex(options.interface.c_str()), kernel::XdpMode::native);
  if (!link) return std::unexpected(link.error());
  fmt::print(stderr, "ready\n");
  while (stop == 0) {
    wait_interval(options.interval);
    if (stop == 0 && collector)
      if (auto done = collector->collect(false); !done) return std::unexpected(done.error());
  }
  { const auto detached = std::move(*link); }
  packets::wait_for_running_programs();
  if (!collector) {
    const auto taken = table->taken();
    if (!taken) return std::unexpected(taken.error());
    return fmt::format(R"("taken": {})", *taken);
  }
  auto done = collector->collect(true);
  if (!done) return std::unexpected(done.error());
  const auto counts = table->counters();
  if (!counts) return std::unexpected(counts.error());
  return fmt::format(R"("taken": {}, "counted": {}, "spilled": {}, "lost": {})", counts->taken, counts->counted,
                     counts->spilled, counts->lost) +
         collector->text();
}

class NoVisitor final : public pipeline::FlowVisitor {
 public:
  using FlowVisitor::visit;
  void visit(const pipeline::FlowSample& sample) override {
    packets += sample.delta[0].packets + sample.delta[1].packets;
  }
  std::uint64_t packets = 0;
};

Result<std::string> run_source(const Options& options) {
  auto filter = filter::compile({});
  if (!filter) return std::unexpected(filter.error());
  flows::KernelFlowOptions flows;
  flows.interfaces = {options.interface};
  flows.filter = std::move(*filter);
  flows.max_flows = options.flows;
  auto source = flows::open(std::move(flows));
  if (!source) return std::unexpected(source.error());
  fmt::print(stderr, "ready\n");
  NoVisitor visitor;
  while (!(*source)->finished()) {
    const auto next = std::chrono::steady_clock::now() + std::chrono::duration<double>(options.interval);
    while (stop == 0 && std::chrono::steady_clock::now() < next)
      if (auto done = (*source)->poll(std::chrono::milliseconds{100}); !done) return std::unexpected(done.error());
    if (stop != 0)
      if (auto done = (*source)->stop(); !done) return std::unexpected(done.error());
    if (auto done = (*source)->collect(visitor); !done) return std::unexpected(done.error());
  }
  return fmt::format(R"("summed": {})", visitor.packets);
}

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try {
  sonde::bench::Options options;
  CLI::App app{"Counts packets in a table of flows and drops them."};
  app.add_option("--interface", options.interface)->required();
  app.add_option("--table", options.table, "sonde, lru, hash, per_cpu, none (the parser only), source");
  app.add_option("--flows", options.flows, "Room")->check(CLI::PositiveNumber);
  app.add_option("--interval", options.interval, "Seconds between collections")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGINT, [](int) { sonde::bench::stop = 1; });
  const auto text = options.table == "source" ? sonde::bench::run_source(options) : sonde::bench::run_table(options);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  if (text)
    fmt::print("{{{}, \"memory\": {}}}\n", *text, usage.ru_maxrss * 1024);
  else
    fmt::print(stderr, "flow_sink: {}\n", text.error().text());
  return text ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "flow_sink: %s\n", error.what());
  return 1;
}
