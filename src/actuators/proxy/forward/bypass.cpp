// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/bypass.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/socket_address.hpp"
#include "kernel/host_addresses.hpp"
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
using kernel::Address;
using kernel::HostAddresses;
using ListenerKey = std::pair<Address, std::uint16_t>;

// What may lie unread in a receiver; a message more if it holds nothing. TCP lets as much lie (net.ipv4.tcp_rmem[2]).
constexpr std::uint32_t queue_limit = 4 << 20;
// Of the proxy's sockets (the kernel doubles it). The less is on its way through the proxy, the sooner a sender that
// does not pause gets off TCP; with less than this TCP on loopback, whose segments have 64 KiB, begins to wait for
// windows.
constexpr int receive_buffer = 64 << 10;
// A connection that ends sooner is not worth the path; and by then most programs have set O_NONBLOCK if they ever do.
constexpr Clock::duration shortest_life = std::chrono::milliseconds{5};
// Doubled after each try; so who has not accepted the connection, or set O_NONBLOCK, 1.3 s after that is left alone.
constexpr Clock::duration longest_delay = std::chrono::milliseconds{640};
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
  class Pairing;

  State(kernel::Object loaded, HostAddresses addresses, std::optional<kernel::MappedArray> mapped)
      : object(std::move(loaded)), statistics(std::move(mapped)), host(std::move(addresses)) {}

  Result<void> find_descriptors();
  void count(__u64 sonde_bypass_connections::*member);
  /// Writes to LISTENERS what is missing there and removes what is too much. The mutex is held.
  Result<void> write_listeners();
  void refresh_if_old();
  /// enum sonde_bypass_pairing; -1: the kernel did not let us.
  int pair(const sonde_bypass_pair& request) const;

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

  std::optional<kernel::Link> link;  ///< of track_established
  std::unique_ptr<Pairing> pairing;  ///< goes first
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

namespace {

/// A connection that is, or will be, in CONNECTION_MAP. Belongs to the worker's relay and to the thread that pairs.
class BypassedConnection {
 public:
  BypassedConnection(Bypass::State& path, const sonde_bypass_pair& request, const SocketPair& sockets)
      : path_(path), request_(request), client_fd_(sockets.client_fd), upstream_fd_(sockets.upstream_fd) {}

  /// True: ask again later.
  bool try_pair();
  /// The relay is over.
  void end();
  /// It was not accepted, or did not stop to block, in time.
  void give_up();
  [[nodiscard]] Carried carried();

 private:
  enum class Stage : std::uint8_t { waiting, paired, declined, ended };

  void decline(__u64 sonde_bypass_connections::*counter);
  [[nodiscard]] std::uint64_t bytes(const sonde_bypass_socket& sender) const;

  Bypass::State& path_;
  const sonde_bypass_pair request_;
  const int client_fd_;  ///< open until end()
  const int upstream_fd_;
  std::mutex mutex_;
  Stage stage_ = Stage::waiting;
  int pairing_ = SONDE_BYPASS_NOT_ACCEPTED;  ///< the last answer
};

__u64 sonde_bypass_connections::*counter_of(int pairing) {
  using C = sonde_bypass_connections;
  switch (pairing) {
    case SONDE_BYPASS_NO_CLIENT: return &C::declined_client;
    case SONDE_BYPASS_NO_BACKEND:
    case SONDE_BYPASS_NOT_ACCEPTED: return &C::declined_backend;
    case SONDE_BYPASS_BLOCKING: return &C::declined_blocking;
    case SONDE_BYPASS_UNSUITED: return &C::declined_unsuited;
    default: return &C::declined_kernel;
  }
}

void BypassedConnection::decline(__u64 sonde_bypass_connections::*counter) {
  stage_ = Stage::declined;
  path_.count(counter);
}

bool BypassedConnection::try_pair() {
  const std::lock_guard lock(mutex_);
  if (stage_ != Stage::waiting) return false;
  pairing_ = path_.pair(request_);
  if (pairing_ == SONDE_BYPASS_NOT_ACCEPTED || pairing_ == SONDE_BYPASS_BLOCKING) return true;
  if (pairing_ != SONDE_BYPASS_PAIRED) {
    decline(counter_of(pairing_));
    return false;
  }
  stage_ = Stage::paired;
  path_.count(&sonde_bypass_connections::taken);
  for (const int fd : {client_fd_, upstream_fd_})
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  return false;
}

void BypassedConnection::give_up() {
  const std::lock_guard lock(mutex_);
  if (stage_ == Stage::waiting) decline(counter_of(pairing_));
}

// The sockets stay in SOCK_MAP until they are closed: what lies unread in them must not be lost.
void BypassedConnection::end() {
  const std::lock_guard lock(mutex_);
  if (stage_ == Stage::waiting) path_.count(&sonde_bypass_connections::declined_short);
  if (stage_ == Stage::paired) {
    (void)kernel::map_delete(path_.connections_fd, &request_.client);
    (void)kernel::map_delete(path_.connections_fd, &request_.backend);
    path_.count(&sonde_bypass_connections::ended);
  }
  stage_ = Stage::ended;
}

Carried BypassedConnection::carried() {
  const std::lock_guard lock(mutex_);
  if (stage_ != Stage::paired) return {};
  return {bytes(request_.client), bytes(request_.backend)};
}

std::uint64_t BypassedConnection::bytes(const sonde_bypass_socket& sender) const {
  sonde_bypass_direction direction{};
  const auto found = kernel::map_lookup(path_.connections_fd, &sender, &direction);
  return found && *found ? direction.bytes : 0;
}

}  // namespace

/// Pairs connections once they have lived for a moment, on a thread of its own, from the first one on: until privileges
/// are dropped the process must have no other thread.
class Bypass::State::Pairing {
 public:
  Pairing() = default;
  Pairing(const Pairing&) = delete;
  Pairing& operator=(const Pairing&) = delete;
  ~Pairing() { rest(); }

  /// Ends the thread; the next connection begins another.
  void rest() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
    stopped_ = false;
  }

  void add(std::shared_ptr<BypassedConnection> connection) { wait({std::move(connection), shortest_life}); }

 private:
  struct Waiting {
    std::shared_ptr<BypassedConnection> connection;
    Clock::duration delay;
  };

  void wait(Waiting waiting) {
    // In steps: under load the thread wakes once for many connections.
    const auto wanted = (Clock::now() + waiting.delay).time_since_epoch();
    const Clock::time_point due((wanted / shortest_life + 1) * shortest_life);
    bool is_first = false;
    {
      const std::lock_guard lock(mutex_);
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
      const auto place = waiting_.emplace(due, std::move(waiting));
      is_first = place == waiting_.begin();
    }
    if (is_first) changed_.notify_one();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      if (waiting_.empty()) {
        changed_.wait(lock);
      } else if (const auto due = waiting_.begin()->first; due > Clock::now()) {
        changed_.wait_until(lock, due);
      } else {
        auto next = std::move(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
        lock.unlock();
        pair(std::move(next));
        lock.lock();
      }
    }
  }

  void pair(Waiting next) {
    if (!next.connection->try_pair()) return;
    next.delay *= 2;
    if (next.delay > longest_delay)
      next.connection->give_up();
    else
      wait(std::move(next));
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, Waiting> waiting_;
  bool stopped_ = false;
  std::thread thread_;
};

namespace {

class BypassRelay : public KernelRelay {
 public:
  BypassRelay(Bypass::State& path, std::shared_ptr<BypassedConnection> connection)
      : path_(path), connection_(std::move(connection)) {}
  BypassRelay(const BypassRelay&) = delete;
  BypassRelay& operator=(const BypassRelay&) = delete;
  ~BypassRelay() override { connection_->end(); }

  void begin() override { path_.pairing->add(connection_); }
  [[nodiscard]] Carried carried() const override { return connection_->carried(); }
  // What was redirected is read before the end of the stream that came over TCP.
  [[nodiscard]] bool delivered(Direction) override { return true; }

 private:
  Bypass::State& path_;
  std::shared_ptr<BypassedConnection> connection_;
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
  state->pairing = std::make_unique<State::Pairing>();
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
  return std::make_unique<BypassRelay>(*state_, std::make_shared<BypassedConnection>(*state_, request, pair));
}

// The peer's socket has been looked at, and not touched but for TCP_NOTSENT_LOWAT.
void Bypass::decline(const Endpoint&, const Endpoint&) {}

sonde_bypass_connections Bypass::connections() const {
  sonde_bypass_connections counters{};
  if (state_->statistics) std::memcpy(&counters, state_->statistics->memory().data(), sizeof(counters));
  return counters;
}

void Bypass::reset_counters() {
  state_->pairing->rest();
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
