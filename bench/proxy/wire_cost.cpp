// SPDX-License-Identifier: Apache-2.0
// Nanoseconds a packet of forward_packet, by BPF_PROG_TEST_RUN. The kernel runs a program again on what it has made of
// the packet. So the flows stand in a ring in random order: each makes of the packet one of the next flow, and no run
// meets what the one before has left in the caches.
#include <bpf/bpf.h>
#include <endian.h>
#include <fmt/format.h>
#include <linux/pkt_cls.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "base/wall_clock.hpp"
#include "capture/run_cost.hpp"
#include "kernel/object.hpp"
#include "proxy/wire_elements.hpp"

extern "C" const std::uint8_t sonde_proxy_wire_bpf_object[];
extern "C" const std::uint8_t sonde_proxy_wire_bpf_object_end[];

namespace sonde::bench {
namespace {

using proxy::Table;

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint8_t hops = 255;
constexpr std::uint32_t runs_a_packet = 240;  // each takes one of the hops
constexpr std::uint32_t payload = 64;         // as the round trips of the bench
constexpr std::uint16_t port = 8443;

/// What a packet of this flow looks like. Flows 2c and 2c + 1 are the two of connection c.
Endpoint source_of(std::uint32_t flow) { return made_address(flow, 40'000); }
Endpoint destination() { return made_address((1U << 22) - 1, port); }

class Program {
 public:
  static Result<Program> load(std::uint32_t connections) {
    auto table = Table::make_private(connections);
    if (!table) return std::unexpected(table.error());
    auto object = kernel::Object::open({sonde_proxy_wire_bpf_object, sonde_proxy_wire_bpf_object_end}, "sonde_bench");
    if (!object) return std::unexpected(object.error());
    const std::array<std::pair<const char*, int>, 4> maps{{{"CONNECTIONS", (*table)->connections_fd()},
                                                           {"FLOWS", (*table)->flows_fd()},
                                                           {"STATISTICS", (*table)->statistics_fd()},
                                                           {"CHANGES", (*table)->changes_fd()}}};
    for (const auto& [name, fd] : maps)
      if (auto done = object->reuse_map(name, fd); !done) return std::unexpected(done.error());
    if (auto done = object->load(); !done) return std::unexpected(done.error());
    const auto fd = object->program_fd("forward_packet");
    if (!fd) return std::unexpected(fd.error());
    return Program(std::move(*table), std::move(*object), *fd);
  }

  /// `next`: by flow, the flow that its packets become.
  Result<void> fill(std::span<const std::uint32_t> next) {
    for (std::uint32_t connection = 0; connection < next.size() / 2; ++connection) {
      const auto index = table_->take();
      if (!index) return fail(ErrorKind::failed, "the table is full");
      sonde_wire_connection made{};
      for (std::uint32_t side = 0; side < 2; ++side) fill(made.sides[side], next[2 * connection + side]);
      std::memcpy(table_->at(*index).sides, made.sides, sizeof(made.sides));
      for (std::uint32_t side = 0; side < 2; ++side) {
        const auto flow = proxy::wire_flow(source_of(2 * connection + side), destination());
        const sonde_wire_place place{*index, side};
        if (auto done = kernel::map_update(table_->flows_fd(), &flow, &place); !done) return done;
      }
      table_->at(*index).phase = SONDE_WIRE_SPLICED;
    }
    return {};
  }

  /// Routes are looked up once a second and side, which is not what is measured here.
  void refresh_routes() {
    const auto now = static_cast<std::uint32_t>(static_cast<std::uint64_t>(monotonic_ns()) / second);
    if (now == routes_checked_) return;
    routes_checked_ = now;
    for (std::uint32_t i = 0; i < table_->used(); ++i)
      for (auto& side : table_->at(i).sides) side.route_checked = now;
  }

  /// Nanoseconds of all runs, which begin with a packet of this flow. An error if not all have forwarded it.
  Result<std::uint64_t> run(std::uint32_t flow) {
    refresh_routes();
    auto frame = frame_of(source_of(flow), destination());
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.repeat = runs_a_packet;
    if (::bpf_prog_test_run_opts(fd_, &options) != 0) return fail_errno("BPF_PROG_TEST_RUN");
    if (options.retval != TC_ACT_REDIRECT) return fail(ErrorKind::failed, "a packet was not forwarded");
    return std::uint64_t{options.duration} * runs_a_packet;
  }

  [[nodiscard]] Result<std::uint64_t> forwarded() const {
    const auto statistics = table_->statistics();
    if (!statistics) return std::unexpected(statistics.error());
    return statistics->packets;
  }

 private:
  Program(std::unique_ptr<Table> table, kernel::Object object, int fd)
      : table_(std::move(table)), object_(std::move(object)), fd_(fd) {}

  static void fill(sonde_wire_side_state& side, std::uint32_t next) {
    const auto flow = proxy::wire_flow(source_of(next), destination());
    std::memcpy(side.source, flow.source, sizeof(side.source));
    std::memcpy(side.destination, flow.destination, sizeof(side.destination));
    side.source_port = flow.source_port;
    side.destination_port = flow.destination_port;
    side.flags = SONDE_WIRE_TIMESTAMPS;
    side.window_shift_in = side.window_shift_out = 7;
    side.ifindex = 1;  // nothing is sent by BPF_PROG_TEST_RUN
  }

  // Ethernet, IPv4, TCP with timestamps. Its TCP checksum is wrong; the program only changes it.
  static std::array<std::uint8_t, 14 + 20 + 32 + payload> frame_of(const Endpoint& from, const Endpoint& to) {
    std::array<std::uint8_t, 14 + 20 + 32 + payload> frame{};
    frame[12] = 0x08;
    auto* const ip = frame.data() + 14;
    ip[0] = 0x45;
    ip[3] = 20 + 32 + payload;
    ip[6] = 0x40;  // do not fragment
    ip[8] = hops;
    ip[9] = 6;
    std::copy_n(from.address.begin() + 12, 4, ip + 12);
    std::copy_n(to.address.begin() + 12, 4, ip + 16);
    auto* const tcp = ip + 20;
    const std::array<std::uint16_t, 2> ports{htobe16(from.port), htobe16(to.port)};
    std::memcpy(tcp, ports.data(), sizeof(ports));
    tcp[12] = 8 << 4;
    tcp[13] = 0x18;             // PSH, ACK
    tcp[14] = 1;                // window
    tcp[20] = tcp[21] = 1;      // NOP
    tcp[22] = 8, tcp[23] = 10;  // timestamps
    return frame;
  }

  std::unique_ptr<Table> table_;
  kernel::Object object_;
  int fd_;
  std::uint32_t routes_checked_ = 0;
};

// One ring through all but the first two, which are a ring of their own.
std::vector<std::uint32_t> make_rings(std::uint32_t flows) {
  std::vector<std::uint32_t> order(flows - 2), next(flows);
  std::iota(order.begin(), order.end(), 2U);
  std::mt19937 random(1);
  std::shuffle(order.begin(), order.end(), random);
  next[0] = 1, next[1] = 0;
  for (std::size_t i = 0; i < order.size(); ++i) next[order[i]] = order[(i + 1) % order.size()];
  return next;
}

// Nanoseconds a packet over so many seconds. `start`: the flow of each packet.
Result<double> measure(Program& program, double seconds, const std::function<std::uint32_t()>& start,
                       std::uint64_t& packets) {
  const auto before = program.forwarded();
  const auto end = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
  std::uint64_t spent = 0;
  std::uint64_t runs = 0;
  while (monotonic_ns() < end) {
    const auto took = program.run(start());
    if (!took) return std::unexpected(took.error());
    spent += *took;
    runs += runs_a_packet;
  }
  const auto after = program.forwarded();
  if (!before || !after) return std::unexpected((before ? after : before).error());
  if (*after - *before != runs)
    return fail(ErrorKind::failed, fmt::format("{} of {} packets were forwarded", *after - *before, runs));
  packets = runs;
  return static_cast<double>(spent) / static_cast<double>(runs);
}

}  // namespace

Result<Cost> measure_cost(std::uint32_t connections, double seconds) {
  auto alone = Program::load(1);
  if (!alone) return std::unexpected(alone.error());
  auto full = Program::load(connections);
  if (!full) return std::unexpected(full.error());
  const std::array<std::uint32_t, 2> pair{1, 0};
  if (auto done = alone->fill(pair); !done) return std::unexpected(done.error());
  if (auto done = full->fill(make_rings(2 * connections)); !done) return std::unexpected(done.error());

  std::mt19937 random(2);
  std::uniform_int_distribution<std::uint32_t> any(2, 2 * connections - 1);
  const auto first = [] { return 0U; };
  constexpr int rounds = 5;
  std::vector<double> one, same, spread;
  Cost cost;
  for (int round = 0; round <= rounds; ++round) {
    const auto a = measure(*alone, seconds / rounds, first, cost.packets);
    const auto b = measure(*full, seconds / rounds, first, cost.packets);
    const auto c = measure(
        *full, seconds / rounds, [&] { return any(random); }, cost.packets);
    for (const auto* got : {&a, &b, &c})
      if (!*got) return std::unexpected(got->error());
    if (round == 0) continue;  // warms up
    one.push_back(*a);
    same.push_back(*b);
    spread.push_back(*c);
  }
  cost.one = median(one);
  cost.same = median(same);
  cost.random = median(spread);
  return cost;
}

}  // namespace sonde::bench
