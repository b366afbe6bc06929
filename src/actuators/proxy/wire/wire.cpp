// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/wire.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <utility>

#include "actuators/proxy/wire/frozen_sockets.hpp"
#include "base/socket_address.hpp"
#include "kernel/host_addresses.hpp"
#include "kernel/object.hpp"
#include "kernel/program.hpp"

extern "C" const std::uint8_t sonde_proxy_wire_bpf_object[];
extern "C" const std::uint8_t sonde_proxy_wire_bpf_object_end[];

namespace sonde::proxy {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto addresses_interval = std::chrono::seconds{1};

// CLOCK_MONOTONIC, as the programs have it.
std::uint64_t monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

Result<kernel::Object> load(const Table& table) {
  auto object =
      kernel::Object::open({sonde_proxy_wire_bpf_object,
                            static_cast<std::size_t>(sonde_proxy_wire_bpf_object_end - sonde_proxy_wire_bpf_object)},
                           "sonde_proxy");
  if (!object) return object;
  const std::pair<const char*, int> maps[] = {{"CONNECTIONS", table.connections_fd()},
                                              {"FLOWS", table.flows_fd()},
                                              {"STATISTICS", table.statistics_fd()},
                                              {"CHANGES", table.changes_fd()}};
  for (const auto& [name, fd] : maps)
    if (auto done = object->reuse_map(name, fd); !done) return std::unexpected(done.error());
  if (auto done = object->load(); !done) return std::unexpected(done.error());
  return object;
}

Result<std::unique_ptr<Table>> open_table(const WireOptions& options) {
  return options.is_private ? Table::make_private(options.connections) : Table::open(options.connections);
}

// Bytes of a segment that the client takes, options included.
int segment_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  constexpr int timestamps = 12;
  return static_cast<int>(info.tcpi_snd_mss) + ((info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0 ? timestamps : 0);
}

sonde_wire_join frame_of(int client_fd, int upstream_fd, std::uint32_t index) {
  sonde_wire_join frame{};
  frame.client = wire_flow(remote_endpoint(client_fd), local_endpoint(client_fd));
  frame.upstream = wire_flow(remote_endpoint(upstream_fd), local_endpoint(upstream_fd));
  frame.connection = index;
  frame.verdict = SONDE_WIRE_BAD_FRAME;
  return frame;
}

sonde_wire_verdict run(int program_fd, sonde_wire_join& frame) {
  const std::span bytes(reinterpret_cast<std::uint8_t*>(&frame), sizeof(frame));
  if (auto done = kernel::run_on_frame(program_fd, bytes, 0); !done) return SONDE_WIRE_BAD_FRAME;
  return static_cast<sonde_wire_verdict>(frame.verdict);
}

// If the process dies while a connection joins, its sockets must not end streams that go on on the wire: a FIN would
// be taken for the end where bytes are to follow. A reset is out of order then, and ignored (RFC 5961 3).
void reset_on_close(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

bool is_link_local(const Endpoint& endpoint) {
  return endpoint.address[0] == 0xfe && (endpoint.address[1] & 0xc0) == 0x80;
}

}  // namespace

struct Wire::State {
  State(std::unique_ptr<Table> maps, kernel::Object loaded, std::unique_ptr<Attachment> attached,
        kernel::HostAddresses addresses)
      : table(std::move(maps)),
        object(std::move(loaded)),
        attachment(std::move(attached)),
        host(std::move(addresses)) {}

  bool is_of_this_host(const Endpoint& endpoint) {
    if (Clock::now() >= next_refresh.load(std::memory_order_relaxed)) {
      const std::unique_lock lock(mutex);
      host.refresh();
      next_refresh.store(Clock::now() + addresses_interval, std::memory_order_relaxed);
    }
    const std::shared_lock lock(mutex);
    return host.contains(endpoint.address);
  }

  std::unique_ptr<Table> table;
  kernel::Object object;
  std::unique_ptr<Attachment> attachment;
  int join_fd = -1;
  int inspect_fd = -1;

  std::shared_mutex mutex;  ///< of `host`
  kernel::HostAddresses host;
  std::atomic<Clock::time_point> next_refresh{Clock::time_point{}};

  std::atomic<std::uint64_t> joined{0};
  std::atomic<std::uint64_t> no_place{0};
  std::array<std::atomic<std::uint64_t>, SONDE_WIRE_VERDICTS> verdicts{};
};

const char* wire_verdict_name(sonde_wire_verdict verdict) {
  static constexpr std::array<const char*, SONDE_WIRE_VERDICTS> names = {
      "joined",       "no-socket", "stream-ended", "unsuited-socket", "timestamps-differ", "segment-differs",
      "out-of-order", "unsent",    "no-route",     "no-room",         "bad-frame"};
  const auto index = static_cast<std::size_t>(verdict);
  return index < names.size() ? names[index] : "";
}

Wire::Wire(std::unique_ptr<State> state) : state_(std::move(state)) {}
Wire::~Wire() = default;

Result<std::unique_ptr<Wire>> Wire::make(const WireOptions& options) {
  if (auto done = allow_route_lookup(); !done) return std::unexpected(done.error());
  auto table = open_table(options);
  if (!table) return std::unexpected(table.error());
  auto object = load(**table);
  if (!object) return std::unexpected(object.error());
  const auto ethernet = object->program_fd("forward_packet");
  const auto raw_ip = object->program_fd("forward_raw_packet");
  const auto join = object->program_fd("join_connection");
  const auto inspect = object->program_fd("inspect_connection");
  for (const auto* program : {&ethernet, &raw_ip, &join, &inspect})
    if (!*program) return std::unexpected(program->error());
  auto host = kernel::HostAddresses::make();
  if (!host) return std::unexpected(host.error());
  auto attachment = Attachment::make({*ethernet, *raw_ip}, (*table)->reachable_directory());
  if (!attachment) return std::unexpected(attachment.error());
  auto state = std::make_unique<State>(std::move(*table), std::move(*object), std::move(*attachment), std::move(*host));
  state->join_fd = *join;
  state->inspect_fd = *inspect;
  return std::unique_ptr<Wire>(new Wire(std::move(state)));
}

bool Wire::suits(const Endpoint& client_remote, const Endpoint& upstream_remote) const {
  const auto is_remote = [this](const Endpoint& end) { return !is_link_local(end) && !state_->is_of_this_host(end); };
  return is_remote(client_remote) && is_remote(upstream_remote);
}

void Wire::prepare_upstream(int upstream_fd, int client_fd) const {
  if (const int segment = segment_of(client_fd); segment > 0)
    ::setsockopt(upstream_fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
}

sonde_wire_verdict Wire::join(const WireJoin& request, std::uint32_t& index, WireExcess* excess) {
  const auto place = state_->table->take();
  if (!place) {
    ++state_->no_place;
    return SONDE_WIRE_NO_ROOM;
  }
  auto frame = frame_of(request.client_fd, request.upstream_fd, *place);
  frame.held_to_upstream = request.held_to_upstream;
  frame.held_to_client = request.held_to_client;
  frame.insists = request.insists ? 1 : 0;
  const auto verdict = run(state_->join_fd, frame);
  ++state_->verdicts.at(verdict);
  if (excess != nullptr && verdict == SONDE_WIRE_UNSENT)
    *excess = {.to_upstream = frame.held_to_upstream != 0, .to_client = frame.held_to_client != 0};
  index = *place;
  if (verdict == SONDE_WIRE_JOINED) {
    ++state_->joined;
    reset_on_close(request.client_fd);
    reset_on_close(request.upstream_fd);
  } else {  // nothing has seen it
    std::atomic_ref(state_->table->at(*place).phase).store(SONDE_WIRE_FREE);
  }
  return verdict;
}

bool Wire::settle(std::uint32_t index, int client_fd, int upstream_fd) {
  auto& connection = state_->table->at(index);
  auto frame = frame_of(client_fd, upstream_fd, index);
  const auto holds_nothing = [&] {
    // A reset makes worthless what they hold.
    const auto seen = connection.sides[SONDE_WIRE_CLIENT].seen | connection.sides[SONDE_WIRE_UPSTREAM].seen;
    return (seen & SONDE_WIRE_SAW_RESET) != 0 || run(state_->inspect_fd, frame) == SONDE_WIRE_JOINED;
  };
  if (!holds_nothing() || !freeze_socket(client_fd)) return false;
  // Something may have come in between, on another CPU.
  if (!freeze_socket(upstream_fd) || !holds_nothing()) {
    (void)thaw_socket(client_fd);
    (void)thaw_socket(upstream_fd);
    return false;
  }
  connection.spliced = monotonic_now();
  std::uint32_t joining = SONDE_WIRE_JOINING;
  std::atomic_ref(connection.phase).compare_exchange_strong(joining, SONDE_WIRE_SPLICED);
  std::atomic_ref(connection.owner).store(0);
  return true;
}

void Wire::abort(std::uint32_t index, int client_fd, int upstream_fd) {
  (void)freeze_socket(client_fd);
  (void)freeze_socket(upstream_fd);
  auto& connection = state_->table->at(index);
  std::atomic_ref(connection.phase).store(SONDE_WIRE_ABORTED);
  std::atomic_ref(connection.owner).store(0);
}

Table& Wire::table() const { return *state_->table; }
Attachment& Wire::attachment() const { return *state_->attachment; }

Wire::Counts Wire::counts() const {
  Counts counts{.joined = state_->joined, .no_place = state_->no_place};
  for (std::size_t i = 0; i < counts.verdicts.size(); ++i) counts.verdicts.at(i) = state_->verdicts.at(i);
  return counts;
}

}  // namespace sonde::proxy
