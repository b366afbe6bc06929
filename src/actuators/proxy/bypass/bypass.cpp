// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/bypass/bypass.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "actuators/proxy/bypass/listeners.hpp"
#include "actuators/proxy/bypass/pairing.hpp"
#include "actuators/proxy/bypass/programs.hpp"
#include "base/socket_address.hpp"
#include "kernel/tracing.hpp"

namespace sonde::proxy {
namespace {

using kernel::HostAddresses;

sonde_bypass_socket socket_key(const Endpoint& local, const Endpoint& remote) {
  sonde_bypass_socket key{};
  std::memcpy(key.local_address, local.address.data(), sizeof(key.local_address));
  std::memcpy(key.remote_address, remote.address.data(), sizeof(key.remote_address));
  key.local_port = local.port;
  key.remote_port = remote.port;
  return key;
}

class BypassRelay : public KernelRelay {
 public:
  BypassRelay(BypassPairing& pairing, std::shared_ptr<BypassedConnection> connection)
      : pairing_(pairing), connection_(std::move(connection)) {}
  BypassRelay(const BypassRelay&) = delete;
  BypassRelay& operator=(const BypassRelay&) = delete;
  ~BypassRelay() override { connection_->end(); }

  void begin() override { pairing_.add(connection_); }
  [[nodiscard]] Carried carried() const override { return connection_->carried(); }
  // What was redirected is read before the end of the stream that came over TCP.
  [[nodiscard]] bool delivered(Direction) override { return true; }

 private:
  BypassPairing& pairing_;
  std::shared_ptr<BypassedConnection> connection_;
};

}  // namespace

struct Bypass::State {
  State(BypassPrograms loaded, HostAddresses host, kernel::Link attached)
      : programs(std::move(loaded)), listeners(std::move(host), programs.listeners_fd), link(std::move(attached)) {}

  BypassPrograms programs;
  BypassListeners listeners;
  kernel::Link link;      ///< of track_established
  BypassPairing pairing;  ///< goes first
};

Bypass::Bypass(std::unique_ptr<State> state) : state_(std::move(state)) {}
Bypass::~Bypass() = default;

Result<std::unique_ptr<Bypass>> Bypass::make(const BypassOptions& options) {
  auto programs = BypassPrograms::load(options);
  if (!programs) return std::unexpected(programs.error());
  auto host = HostAddresses::make();
  if (!host) return std::unexpected(host.error());
  auto link = kernel::attach_cgroup_root(programs->object, "track_established");
  if (!link) return std::unexpected(link.error());
  return std::unique_ptr<Bypass>(
      new Bypass(std::make_unique<State>(std::move(*programs), std::move(*host), std::move(*link))));
}

Result<void> Bypass::set_listeners(std::span<const Endpoint> listeners) { return state_->listeners.set(listeners); }

bool Bypass::suits(const Endpoint& client_remote, const Endpoint& upstream_remote) const {
  return client_remote != upstream_remote &&
         state_->listeners.are_local(client_remote.address, upstream_remote.address);
}

void Bypass::prepare_upstream(int upstream_fd) {
  const std::uint32_t marked = 1;
  (void)kernel::map_update(state_->programs.upstreams_fd, &upstream_fd, &marked);
}

std::unique_ptr<KernelRelay> Bypass::take(const SocketPair& pair) {
  sonde_bypass_pair request{};
  request.client = socket_key(pair.client_remote, pair.client_local);
  request.backend = socket_key(pair.upstream_remote, local_endpoint(pair.upstream_fd));
  request.skew_to_backend = static_cast<std::uint32_t>(pair.skew_to_upstream);
  request.skew_to_client = static_cast<std::uint32_t>(pair.skew_to_client);
  return std::make_unique<BypassRelay>(state_->pairing,
                                       std::make_shared<BypassedConnection>(state_->programs, request, pair));
}

sonde_bypass_connections Bypass::connections() const {
  sonde_bypass_connections counters{};
  if (state_->programs.statistics)
    std::memcpy(&counters, state_->programs.statistics->memory().data(), sizeof(counters));
  return counters;
}

void Bypass::reset_counters() {
  state_->pairing.rest();
  if (!state_->programs.statistics) return;
  std::ranges::fill(state_->programs.statistics->memory(), std::uint8_t{0});
  const std::uint32_t element = 0;
  const std::vector<sonde_bypass_traffic> zero(static_cast<std::size_t>(kernel::possible_cpus()));
  if (const auto map = state_->programs.object.map_fd("TRAFFIC_STATS"))
    (void)kernel::map_update(*map, &element, zero.data());
}

sonde_bypass_traffic Bypass::traffic() const {
  const std::uint32_t element = 0;
  const auto map = state_->programs.object.map_fd("TRAFFIC_STATS");
  const auto sum = map ? kernel::sum_per_cpu<sonde_bypass_traffic>(*map, &element) : Result<sonde_bypass_traffic>();
  return sum ? *sum : sonde_bypass_traffic{};
}

bool Bypass::has_captured(const Endpoint& local, const Endpoint& remote) const {
  const auto key = socket_key(local, remote);
  std::uint64_t cookie = 0;
  const auto found = kernel::map_lookup(state_->programs.sockets_fd, &key, &cookie);
  return found && *found;
}

}  // namespace sonde::proxy
