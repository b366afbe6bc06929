// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/worker.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "actuators/proxy/process/log.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

constexpr int accepts_at_once = 64;  // so that those who are connected already have their turn
constexpr std::chrono::milliseconds pause{100};

}  // namespace

// Takes connections from one listening socket. Where there are no descriptors left it pauses.
class Worker::Acceptor final : public Waker {
 public:
  Acceptor(Worker& worker, const ProxyListener& listener)
      : worker_(worker), listener_(listener), again_([this] { take(); }) {}

  ~Acceptor() override { channel_.release(); }  // a duplicate keeps the socket in the loop after close()

  Result<void> open(Fd fd) {
    if (auto opened = channel_.open(*worker_.loop_, std::move(fd)); !opened) return opened;
    channel_.set_waker(this);
    again_.set(*worker_.loop_, worker_.loop_->now());
    return {};
  }
  void wake(Channel&) override { take(); }
  [[nodiscard]] const Endpoint& address() const { return listener_.address; }

 private:
  void take();

  Worker& worker_;
  ProxyListener listener_;
  Channel channel_;
  Timer again_;
  bool complained_ = false;
};

void Worker::Acceptor::take() {
  for (int i = 0; i < accepts_at_once; ++i) {
    SocketAddress peer;
    socklen_t size = SocketAddress::capacity();
    Fd fd(::accept4(channel_.fd(), peer.get(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      complained_ = false;
      worker_.accepted(listener_, std::move(fd), peer.endpoint());
      continue;
    }
    if (errno == EAGAIN) return;
    if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO) continue;
    if (!complained_)
      log(LogLevel::error, "listener", "{}: {}; trying again", listener_.address.text(),
          fail_errno("accept").error().text());
    complained_ = true;
    return again_.set(*worker_.loop_, worker_.loop_->now() + pause);
  }
  again_.set(*worker_.loop_, worker_.loop_->now());
}

Worker::Worker(unsigned index, Shared& shared) : index_(index), shared_(shared) {}

Result<std::unique_ptr<Worker>> Worker::make(unsigned index, Shared& shared, SnapshotPointer snapshot) {
  std::unique_ptr<Worker> worker(new Worker(index, shared));
  auto loop = Loop::make();
  if (!loop) return std::unexpected(loop.error());
  worker->loop_ = std::move(*loop);
  worker->pool_ = std::make_unique<RelayPool>(*worker->loop_);
  auto resolver = Resolver::make(*worker->loop_, snapshot->config, *shared.dns_cache);
  if (!resolver) return std::unexpected(resolver.error());
  worker->resolver_ = std::move(*resolver);
  if (index == 0) worker->health_ = std::make_unique<HealthChecks>(*worker->loop_, *worker->resolver_);
  worker->set_snapshot(std::move(snapshot));
  return worker;
}

Worker::~Worker() {
  stop();
  abort_all();
  acceptors_.clear();
  loop_->run_once(std::chrono::milliseconds(0));  // what has ended goes while all that it uses is there
  health_.reset();
  resolver_.reset();
}

Result<void> Worker::listen(const ProxyListener& listener, Fd fd) {
  auto acceptor = std::make_unique<Acceptor>(*this, listener);
  if (auto opened = acceptor->open(std::move(fd)); !opened) return opened;
  acceptors_.push_back(std::move(acceptor));
  return {};
}

void Worker::stop_listening(const Endpoint& address) {
  std::erase_if(acceptors_, [&](const auto& acceptor) { return acceptor->address() == address; });
}

void Worker::stop_listening() { acceptors_.clear(); }

void Worker::set_snapshot(SnapshotPointer snapshot) {
  snapshot_ = std::move(snapshot);
  if (health_) health_->follow(snapshot_);
}

void Worker::report_traffic() {
  for (const auto& connection : connections_) connection->report_traffic();
}

void Worker::abort_all() {
  while (!connections_.empty()) connections_.front()->abort();
}

void Worker::start() {
  thread_ = std::thread([this] { loop_->run(); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_->stop();
  thread_.join();
}

std::int64_t Worker::wall_ns() {
  wall_clock_.refresh_if_old();
  return wall_clock_.wall_ns(static_cast<std::uint64_t>(monotonic_ns()));
}

void Worker::refuse(Refusal refusal, const RefusalCounters& counters) {
  statistics().refuse(index_, refusal);
  if (counters.failed) count(Counter::failed_connections);
  if (counters.parse_error) count(Counter::sni_parse_errors);
  if (counters.timeout) count(Counter::connection_timeouts);
  if (counters.socks5_error) count(Counter::socks5_errors);
}

void Worker::accepted(const ProxyListener& listener, Fd fd, const Endpoint& peer) {
  count(Counter::total_connections);
  auto client = std::make_unique<Channel>();
  if (auto opened = client->open(*loop_, std::move(fd)); !opened) {
    log(LogLevel::error, "listener", "{}: {}", listener.address.text(), opened.error().text());
    return refuse(Refusal::too_many_connections, {});
  }
  client->clear(EPOLLIN);  // the loop says so if there is something already
  const auto most = snapshot_->config.limits.connections;
  const bool full = most != 0 && statistics().active() >= most;
  auto& connection = *connections_.emplace_back(std::make_unique<Connection>(*this, listener, std::move(client), peer));
  connection.place = std::prev(connections_.end());
  connection.start(full ? Refusal::too_many_connections : Refusal::none);
}

void Worker::forget(Connection& connection) {
  auto owned = std::move(*connection.place);
  connections_.erase(connection.place);
  loop_->dispose(std::move(owned));
}

}  // namespace sonde::proxy
