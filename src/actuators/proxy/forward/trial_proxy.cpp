// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/trial_proxy.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "actuators/proxy/loop/loop.hpp"
#include "base/fd.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

/// What it takes to relay a connection.
struct Accepted {
  Fd client;
  Fd upstream;
  std::vector<std::uint8_t> first;
  std::unique_ptr<KernelRelay> kernel;
};

void set_option(int fd, int level, int option, int value) {
  (void)::setsockopt(fd, level, option, &value, sizeof(value));
}

void stop_blocking(int fd) { (void)::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

Result<Fd> listen_at(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("cannot open a socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.family() == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(fd.get(), address.get(), address.size()) != 0 || ::listen(fd.get(), 1024) != 0)
    return fail_errno("cannot listen at " + endpoint.text());
  return fd;
}

}  // namespace

struct TrialProxy::State : RelayObserver {
  explicit State(TrialOptions given) : options(std::move(given)) {}
  ~State() override { stop(); }

  void stop();
  void accept_all();
  [[nodiscard]] bool prepare(Accepted& accepted);
  void relay(Accepted accepted);
  void relay_ended(Relay& relay, const RelayResult& result) override;

  TrialOptions options;
  Endpoint address;
  Fd listener;
  std::unique_ptr<Loop> loop;
  std::unique_ptr<RelayPool> pool;
  std::unordered_map<Relay*, std::unique_ptr<Relay>> relays;  ///< of the loop's thread
  mutable std::mutex mutex;
  std::vector<RelayResult> results;  ///< under the mutex
  std::atomic<bool> stopping{false};
  std::thread accepting;
  std::thread relaying;
};

void TrialProxy::State::stop() {
  stopping = true;
  if (listener) ::shutdown(listener.get(), SHUT_RDWR);
  if (accepting.joinable()) accepting.join();
  if (loop) {
    loop->post([this] {
      while (!relays.empty()) relays.begin()->second->abort(RelayEndReason::stopped);
      loop->stop();
    });
  }
  if (relaying.joinable()) relaying.join();
}

void TrialProxy::State::accept_all() {
  while (!stopping) {
    auto accepted = std::make_shared<Accepted>();
    accepted->client.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted->client || !prepare(*accepted)) continue;
    loop->post([this, accepted] { relay(std::move(*accepted)); });
  }
}

bool TrialProxy::State::prepare(Accepted& accepted) {
  const int client = accepted.client.get();
  const timeval patience{.tv_sec = options.patience.count(), .tv_usec = 0};
  (void)::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::array<std::uint8_t, 16384> buffer;
  const auto size = ::recv(client, buffer.data(), buffer.size(), 0);
  if (size <= 0) return false;

  const SocketAddress backend(options.backend);
  accepted.upstream.reset(::socket(backend.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (options.send_buffer != 0) {
    set_option(accepted.upstream.get(), SOL_SOCKET, SO_SNDBUF, options.send_buffer);
    set_option(accepted.upstream.get(), SOL_SOCKET, SO_SNDBUFFORCE, options.send_buffer);
  }
  SocketPair pair{.client_fd = client,
                  .upstream_fd = accepted.upstream.get(),
                  .client_remote = remote_endpoint(client),
                  .client_local = local_endpoint(client),
                  .upstream_remote = options.backend,
                  .skew_to_upstream = static_cast<std::int64_t>(options.prefix.size())};
  const bool suits = options.path != nullptr && options.path->suits(pair.client_remote, pair.upstream_remote);
  if (suits) options.path->prepare_upstream(pair.upstream_fd);
  if (::connect(pair.upstream_fd, backend.get(), backend.size()) != 0) return false;
  if (suits) accepted.kernel = options.path->take(pair);

  accepted.first = options.prefix;
  accepted.first.insert(accepted.first.end(), buffer.begin(), buffer.begin() + size);
  for (const int fd : {client, pair.upstream_fd}) {
    stop_blocking(fd);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
  }
  return true;
}

void TrialProxy::State::relay(Accepted accepted) {
  auto client = std::make_unique<Channel>();
  auto upstream = std::make_unique<Channel>();
  if (!client->open(*loop, std::move(accepted.client)) || !upstream->open(*loop, std::move(accepted.upstream))) return;
  const RelayOptions relay_options{.splice = options.splice};
  auto relay = std::make_unique<Relay>(*loop, *pool, std::move(client), std::move(upstream), std::move(accepted.first),
                                       std::move(accepted.kernel), relay_options, *this);
  Relay& made = *relay;
  relays.emplace(&made, std::move(relay));
  made.start();
}

void TrialProxy::State::relay_ended(Relay& relay, const RelayResult& result) {
  {
    const std::lock_guard lock(mutex);
    results.push_back(result);
  }
  const auto found = relays.find(&relay);
  loop->dispose(std::move(found->second));
  relays.erase(found);
}

TrialProxy::TrialProxy(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrialProxy::~TrialProxy() = default;

Result<std::unique_ptr<TrialProxy>> TrialProxy::start(const TrialOptions& options) {
  auto state = std::make_unique<State>(options);
  auto listener = listen_at(options.listen);
  if (!listener) return std::unexpected(listener.error());
  state->listener = std::move(*listener);
  if (options.receive_buffer != 0) {  // accepted sockets have it from this one
    set_option(state->listener.get(), SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
    set_option(state->listener.get(), SOL_SOCKET, SO_RCVBUFFORCE, options.receive_buffer);
  }
  state->address = local_endpoint(state->listener.get());
  auto loop = Loop::make();
  if (!loop) return std::unexpected(loop.error());
  state->loop = std::move(*loop);
  state->pool = std::make_unique<RelayPool>(*state->loop);
  if (options.path != nullptr)
    if (auto done = options.path->set_listeners({&state->address, 1}); !done) return std::unexpected(done.error());
  state->relaying = std::thread([state = state.get()] { state->loop->run(); });
  state->accepting = std::thread([state = state.get()] { state->accept_all(); });
  return std::unique_ptr<TrialProxy>(new TrialProxy(std::move(state)));
}

const Endpoint& TrialProxy::address() const { return state_->address; }

std::vector<RelayResult> TrialProxy::results() const {
  const std::lock_guard lock(state_->mutex);
  return state_->results;
}

Carried TrialProxy::carried() const {
  std::promise<Carried> sum;
  state_->loop->post([&] {
    Carried now;
    for (const auto& [relay, owned] : state_->relays) {
      const auto kernel = relay->so_far().kernel;
      now.to_upstream += kernel.to_upstream;
      now.to_client += kernel.to_client;
    }
    sum.set_value(now);
  });
  return sum.get_future().get();
}

}  // namespace sonde::proxy
