// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/bypass.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "actuators/proxy/forward/host_addresses.hpp"
#include "base/socket_address.hpp"
#include "kernel/mapped_array.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"
#include "kernel/socket_map.hpp"
#include "kernel/tracing.hpp"

extern "C" const std::uint8_t sonde_proxy_bypass_bpf_object[];
extern "C" const std::uint8_t sonde_proxy_bypass_bpf_object_end[];

namespace sonde::proxy {
namespace {

using Clock = std::chrono::steady_clock;
using ListenerKey = std::pair<Address, std::uint16_t>;

// What may lie unread in a receiver; a message more if it holds nothing. TCP lets as much lie (net.ipv4.tcp_rmem[2]).
constexpr std::uint32_t queue_limit = 4 << 20;
// Of the proxy's sockets (the kernel doubles it). The less is on its way through the proxy, the sooner a sender that
// does not pause gets off TCP; with less than this TCP on loopback, whose segments have 64 KiB, begins to wait for
// windows.
constexpr int receive_buffer = 64 << 10;
// How late a new address of the host may be noticed.
constexpr Clock::duration refresh_interval = std::chrono::milliseconds{250};

constexpr Address any_ipv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr Address loopback_ipv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};

sonde_bypass_socket socket_key(const Endpoint& local, const Endpoint& remote) {
  sonde_bypass_socket key{};
  std::memcpy(key.local_address, local.address.data(), sizeof(key.local_address));
  std::memcpy(key.remote_address, remote.address.data(), sizeof(key.remote_address));
  key.local_port = local.port;
  key.remote_port = remote.port;
  return key;
}

sonde_bypass_listener listener_key(const ListenerKey& listener) {
  sonde_bypass_listener key{};
  std::memcpy(key.address, listener.first.data(), sizeof(key.address));
  key.port = listener.second;
  return key;
}

// A wildcard stands for the addresses of its family: the proxy's IPv6 listeners take no IPv4 (IPV6_V6ONLY).
std::set<ListenerKey> expand(const std::vector<Endpoint>& listeners, const HostAddresses& host) {
  std::set<ListenerKey> keys;
  for (const auto& listener : listeners) {
    const bool ipv4 = listener.address == any_ipv4;
    if (!ipv4 && listener.address != Address{}) {
      keys.emplace(listener.address, listener.port);
      continue;
    }
    if (ipv4) keys.emplace(loopback_ipv4, listener.port);
    for (const auto& address : host.all())
      if (Endpoint{address, 0}.is_ipv4() == ipv4) keys.emplace(address, listener.port);
  }
  return keys;
}

Result<kernel::Object> load(const BypassOptions& options) {
  const auto size = static_cast<std::size_t>(sonde_proxy_bypass_bpf_object_end - sonde_proxy_bypass_bpf_object);
  auto object = kernel::Object::open({sonde_proxy_bypass_bpf_object, size}, "sonde_proxy");
  if (!object) return object;
  const auto cookie = kernel::network_namespace_cookie();
  if (!cookie) return std::unexpected(cookie.error());
  const std::uint32_t keep_stats = options.stats ? 1 : 0;
  Result<void> steps[] = {object->set_constant("network_namespace", *cookie),
                          object->set_constant("queue_limit", queue_limit),
                          object->set_constant("keep_stats", keep_stats),
                          object->set_max_entries("SOCK_MAP", options.entries),
                          object->set_max_entries("CONNECTION_MAP", options.entries),
                          object->set_autocreate("TRAFFIC_STATS", options.stats),
                          object->set_autocreate("CONNECTION_STATS", options.stats)};
  for (auto& step : steps)
    if (!step) return std::unexpected(step.error());
  if (auto done = object->load(); !done) return std::unexpected(done.error());
  if (auto done = kernel::attach_to_socket_map(*object, "redirect_msg", "SOCK_MAP"); !done)
    return std::unexpected(done.error());
  return object;
}

Result<std::optional<kernel::MappedArray>> map_statistics(const kernel::Object& object, bool stats) {
  if (!stats) return std::optional<kernel::MappedArray>{};
  const auto fd = object.map_fd("CONNECTION_STATS");
  if (!fd) return std::unexpected(fd.error());
  auto mapped = kernel::MappedArray::open(Fd(::fcntl(*fd, F_DUPFD_CLOEXEC, 0)));
  if (!mapped) return std::unexpected(mapped.error());
  return std::optional(std::move(*mapped));
}

}  // namespace

struct Bypass::State {
  State(kernel::Object loaded, HostAddresses addresses, std::optional<kernel::MappedArray> mapped)
      : object(std::move(loaded)), statistics(std::move(mapped)), host(std::move(addresses)) {}

  Result<void> find_descriptors();
  void count(__u64 sonde_bypass_connections::*member);
  /// Writes to LISTENERS what is missing there and removes what is too much. The mutex is held.
  Result<void> write_listeners();
  void refresh_if_old();
  /// enum sonde_bypass_pairing; -1: the kernel did not let us.
  int pair(const sonde_bypass_pair& request) const;
  void release_client(const sonde_bypass_socket& client);

  kernel::Object object;
  std::optional<kernel::MappedArray> statistics;
  int sockets_fd = -1;
  int connections_fd = -1;
  int listeners_fd = -1;
  int upstreams_fd = -1;
  int pair_fd = -1;

  std::shared_mutex mutex;  ///< of what follows
  HostAddresses host;
  std::vector<Endpoint> listeners;
  std::set<ListenerKey> written;  ///< what LISTENERS holds
  std::atomic<Clock::rep> refreshed_at{0};

  std::optional<kernel::Link> link;  ///< of track_established; goes first
};

Result<void> Bypass::State::find_descriptors() {
  const std::pair<const char*, int*> maps[] = {{"SOCK_MAP", &sockets_fd},
                                               {"CONNECTION_MAP", &connections_fd},
                                               {"LISTENERS", &listeners_fd},
                                               {"UPSTREAMS", &upstreams_fd}};
  for (const auto& [name, place] : maps) {
    const auto fd = object.map_fd(name);
    if (!fd) return std::unexpected(fd.error());
    *place = *fd;
  }
  const auto program = object.program_fd("pair_sockets");
  if (!program) return std::unexpected(program.error());
  pair_fd = *program;
  return {};
}

void Bypass::State::count(__u64 sonde_bypass_connections::*member) {
  if (!statistics) return;
  auto& counters = *reinterpret_cast<sonde_bypass_connections*>(statistics->memory().data());
  std::atomic_ref(counters.*member).fetch_add(1, std::memory_order_relaxed);
}

Result<void> Bypass::State::write_listeners() {
  const auto wanted = expand(listeners, host);
  for (const auto& listener : wanted) {
    const auto key = listener_key(listener);
    const std::uint32_t value = 1;
    if (written.contains(listener)) continue;
    if (auto done = kernel::map_update(listeners_fd, &key, &value); !done) return done;
    written.insert(listener);
  }
  std::erase_if(written, [&](const ListenerKey& listener) {
    const auto key = listener_key(listener);
    return !wanted.contains(listener) && kernel::map_delete(listeners_fd, &key).has_value();
  });
  return {};
}

void Bypass::State::refresh_if_old() {
  const auto now = Clock::now().time_since_epoch().count();
  auto last = refreshed_at.load(std::memory_order_relaxed);
  if (now - last < refresh_interval.count() || !refreshed_at.compare_exchange_strong(last, now)) return;
  const std::unique_lock lock(mutex);
  if (host.refresh()) (void)write_listeners();  // what cannot be written is not captured, so declined
}

int Bypass::State::pair(const sonde_bypass_pair& request) const {
  const auto result =
      kernel::run_with_data(pair_fd, {reinterpret_cast<const std::uint8_t*>(&request), sizeof(request)});
  return result ? static_cast<int>(*result) : -1;
}

// Nothing has been redirected to it, so nothing is lost.
void Bypass::State::release_client(const sonde_bypass_socket& client) {
  if (kernel::map_delete(sockets_fd, &client)) count(&sonde_bypass_connections::released);
}

namespace {

/// A connection in CONNECTION_MAP.
class BypassedConnection : public KernelRelay {
 public:
  BypassedConnection(Bypass::State& path, const sonde_bypass_pair& request, const SocketPair& sockets, bool paired)
      : path_(path),
        pair_(request),
        client_fd_(sockets.client_fd),
        upstream_fd_(sockets.upstream_fd),
        paired_(paired) {}
  BypassedConnection(const BypassedConnection&) = delete;
  BypassedConnection& operator=(const BypassedConnection&) = delete;

  ~BypassedConnection() override {
    if (!paired_) return;
    (void)kernel::map_delete(path_.connections_fd, &pair_.client);
    (void)kernel::map_delete(path_.connections_fd, &pair_.backend);
    path_.count(&sonde_bypass_connections::ended);
  }

  // A backend that waits for the first bytes before it is established (TCP_DEFER_ACCEPT) is there now.
  void begin() override {
    if (!paired_) paired_ = path_.pair(pair_) == SONDE_BYPASS_PAIRED;
    if (paired_) {
      path_.count(&sonde_bypass_connections::taken);
      for (const int fd : {client_fd_, upstream_fd_})
        (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    } else {
      path_.count(&sonde_bypass_connections::declined_backend);
      path_.release_client(pair_.client);
    }
  }

  [[nodiscard]] Carried carried() const override { return {bytes(pair_.client), bytes(pair_.backend)}; }

  // What was redirected is read before the end of the stream that came over TCP.
  [[nodiscard]] bool delivered(Direction) override { return true; }

 private:
  [[nodiscard]] std::uint64_t bytes(const sonde_bypass_socket& sender) const {
    sonde_bypass_direction direction{};
    if (!paired_) return 0;
    const auto found = kernel::map_lookup(path_.connections_fd, &sender, &direction);
    return found && *found ? direction.bytes : 0;
  }

  Bypass::State& path_;
  sonde_bypass_pair pair_;
  int client_fd_;
  int upstream_fd_;
  bool paired_;
};

}  // namespace

Bypass::Bypass(std::unique_ptr<State> state) : state_(std::move(state)) {}
Bypass::~Bypass() = default;

Result<std::unique_ptr<Bypass>> Bypass::make(const BypassOptions& options) {
  auto object = load(options);
  if (!object) return std::unexpected(object.error());
  auto statistics = map_statistics(*object, options.stats);
  if (!statistics) return std::unexpected(statistics.error());
  auto host = HostAddresses::make();
  if (!host) return std::unexpected(host.error());
  auto state = std::make_unique<State>(std::move(*object), std::move(*host), std::move(*statistics));
  if (auto done = state->find_descriptors(); !done) return std::unexpected(done.error());
  auto link = kernel::attach_cgroup_root(state->object, "track_established");
  if (!link) return std::unexpected(link.error());
  state->link.emplace(std::move(*link));
  return std::unique_ptr<Bypass>(new Bypass(std::move(state)));
}

Result<void> Bypass::set_listeners(std::span<const Endpoint> listeners) {
  const std::unique_lock lock(state_->mutex);
  state_->host.refresh();
  state_->listeners.assign(listeners.begin(), listeners.end());
  return state_->write_listeners();
}

bool Bypass::suits(const Endpoint& client_remote, const Endpoint& upstream_remote) const {
  state_->refresh_if_old();
  const std::shared_lock lock(state_->mutex);
  return state_->host.contains(client_remote.address) && state_->host.contains(upstream_remote.address) &&
         client_remote != upstream_remote;
}

void Bypass::prepare_upstream(int upstream_fd) {
  const std::uint32_t marked = 1;
  (void)kernel::map_update(state_->upstreams_fd, &upstream_fd, &marked);
}

std::unique_ptr<KernelRelay> Bypass::take(const SocketPair& pair) {
  sonde_bypass_pair request{};
  request.client = socket_key(pair.client_remote, pair.client_local);
  request.backend = socket_key(pair.upstream_remote, local_endpoint(pair.upstream_fd));
  request.skew_to_backend = static_cast<std::uint32_t>(pair.skew_to_upstream);
  request.skew_to_client = static_cast<std::uint32_t>(pair.skew_to_client);
  const int pairing = state_->pair(request);
  if (pairing == SONDE_BYPASS_PAIRED || pairing == SONDE_BYPASS_NO_BACKEND)
    return std::make_unique<BypassedConnection>(*state_, request, pair, pairing == SONDE_BYPASS_PAIRED);
  state_->count(pairing == SONDE_BYPASS_NO_CLIENT ? &sonde_bypass_connections::declined_client
                                                  : &sonde_bypass_connections::declined_kernel);
  state_->release_client(request.client);
  return nullptr;
}

void Bypass::decline(const Endpoint& client_remote, const Endpoint& client_local) {
  state_->release_client(socket_key(client_remote, client_local));
}

sonde_bypass_connections Bypass::connections() const {
  sonde_bypass_connections counters{};
  if (state_->statistics) std::memcpy(&counters, state_->statistics->memory().data(), sizeof(counters));
  return counters;
}

void Bypass::reset_counters() {
  if (!state_->statistics) return;
  std::ranges::fill(state_->statistics->memory(), std::uint8_t{0});
  const std::uint32_t element = 0;
  const std::vector<sonde_bypass_traffic> zero(static_cast<std::size_t>(kernel::possible_cpus()));
  if (const auto map = state_->object.map_fd("TRAFFIC_STATS")) (void)kernel::map_update(*map, &element, zero.data());
}

sonde_bypass_traffic Bypass::traffic() const {
  const std::uint32_t element = 0;
  const auto map = state_->object.map_fd("TRAFFIC_STATS");
  const auto sum = map ? kernel::sum_per_cpu<sonde_bypass_traffic>(*map, &element) : Result<sonde_bypass_traffic>();
  return sum ? *sum : sonde_bypass_traffic{};
}

bool Bypass::has_captured(const Endpoint& local, const Endpoint& remote) const {
  const auto key = socket_key(local, remote);
  std::uint64_t cookie = 0;
  const auto found = kernel::map_lookup(state_->sockets_fd, &key, &cookie);
  return found && *found;
}

}  // namespace sonde::proxy
