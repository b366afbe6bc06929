// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/connection.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <utility>

#include "actuators/proxy/process/log.hpp"
#include "actuators/proxy/protocol/proxy_header.hpp"
#include "actuators/proxy/server/answer.hpp"
#include "actuators/proxy/server/worker.hpp"
#include "base/socket_address.hpp"
#include "base/wall_clock.hpp"

namespace sonde::proxy {
namespace {

constexpr std::chrono::milliseconds farewell{1000};  // for the client to read why it is refused
constexpr std::size_t farewell_bytes = 256 * 1024;   // that are read from it meanwhile

Task<> nothing() { co_return; }

bool is_zero(std::uint8_t byte) { return byte == 0; }

void reset_on_close(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

// The acknowledgement that ends the handshake waits for the first bytes, which follow at once: a packet less. The
// kernel forgets the option with it (tcp_rcv_synsent_state_process).
void acknowledge_with_data(int fd) {
  const int off = 0;
  ::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
}

// A close with unread bytes is a reset, which may overtake the answer: so they are read until the client has closed.
Task<> read_until_end(Loop& loop, Channel& client, Clock::time_point deadline) {
  std::array<std::uint8_t, 4096> buffer;
  for (std::size_t left = farewell_bytes; left > 0;) {
    const auto size = ::recv(client.fd(), buffer.data(), buffer.size(), 0);
    if (size == 0 || (size < 0 && errno != EAGAIN)) co_return;
    if (size > 0) {
      left -= std::min(left, static_cast<std::size_t>(size));
      continue;
    }
    client.clear(EPOLLIN);
    const bool readable = co_await loop.ready(client, EPOLLIN | EPOLLRDHUP, deadline);
    if (!readable) co_return;
  }
}

}  // namespace

Connection::Connection(Worker& worker, const ProxyListener& listener, std::unique_ptr<Channel> client,
                       const Endpoint& peer)
    : worker_(worker),
      snapshot_(worker.snapshot()),
      listener_(listener),
      client_(std::move(client)),
      task_(nothing()),
      accepted_(worker.loop().now()) {
  record_.accepted_wall_ns = worker.wall_ns();
  record_.client = record_.peer = peer;
  record_.listener = listener.address;
  worker_.statistics().connection_began();
}

Connection::~Connection() {
  if (upstream_.group) upstream_.group->ended(upstream_.index);
  if (entered_) worker_.client_counts().leave(record_.client);
  worker_.statistics().connection_ended();
}

void Connection::start(Refusal refusal) {
  task_ = serve(refusal);
  task_.start();
}

Refusal Connection::admit() {
  if (!snapshot_->clients.allows(record_.client)) return Refusal::client_not_allowed;
  const auto most = snapshot_->config.limits.connections_per_client;
  if (most == 0) return Refusal::none;
  entered_ = worker_.client_counts().enter(record_.client, most);
  return entered_ ? Refusal::none : Refusal::too_many_of_client;
}

Task<> Connection::serve(Refusal refusal) {
  if (refusal == Refusal::none) refusal = co_await establish();
  if (refusal == Refusal::none) {
    relay();
    worker_.loop().dispose(std::make_unique<Task<>>(std::move(task_)));  // the frame is not needed while it is relayed
    co_return;
  }
  co_await dismiss(refusal);
  finish();
}

Task<Refusal> Connection::establish() {
  const auto& config = snapshot_->config;
  const bool header = listener_.proxy_protocol == ProxyProtocolIn::required;
  const auto deadline = accepted_ + config.timeouts.hello;
  // Who the client is says the header, where there is one.
  if (const auto refusal = header ? Refusal::none : admit(); refusal != Refusal::none) co_return refusal;
  const auto unread =
      co_await read_first_flight(worker_.loop(), *client_, header, config.limits.hello_bytes, deadline, flight_);
  record_.hello = Clock::now() - accepted_;
  if (flight_.source) record_.client = *flight_.source;
  record_.server_name = flight_.hello.server_name;
  record_.alpn = fmt::format("{}", fmt::join(flight_.hello.alpn, ","));
  record_.ja4 = flight_.hello.ja4;
  if (flight_.header_size > 0)
    if (const auto refusal = admit(); refusal != Refusal::none) co_return refusal;
  if (unread != Refusal::none) co_return unread;
  route_ = snapshot_->routes.find(record_.server_name);
  if (!route_) co_return Refusal::name_not_allowed;
  record_.route = route_->config.name;
  worker_.count(route_->config.socks5 ? Counter::socks5_requests : Counter::direct_requests);
  const UpstreamRequest request{worker_.loop(),
                                worker_.resolver(),
                                worker_.statistics(),
                                worker_.index(),
                                config,
                                *route_,
                                record_.server_name,
                                [this](int fd, const Endpoint& address) { prepare(fd, address); }};
  const auto refusal = co_await reach_upstream(request, upstream_);
  record_.upstream = upstream_.name;
  record_.detail = upstream_.detail;
  record_.resolved =
      upstream_.resolved_at == Clock::time_point{} ? Clock::duration{} : upstream_.resolved_at - accepted_;
  if (refusal == Refusal::none) record_.connected = Clock::now() - accepted_;
  co_return refusal;
}

ProxyForwarding Connection::wanted() const {
  if (route_ && route_->config.forwarding) return *route_->config.forwarding;
  return listener_.forwarding;
}

void Connection::prepare(int fd, const Endpoint& address) {
  acknowledge_with_data(fd);
  if (may_bypass(address))
    worker_.paths().bypass->prepare_upstream(fd);
  else if (may_use_wire(address))
    worker_.paths().wire->prepare_upstream(fd, client_->fd());
}

bool Connection::may_bypass(const Endpoint& upstream) const {
  const auto way = wanted();
  const auto& bypass = worker_.paths().bypass;
  return bypass && (way == ProxyForwarding::automatic || way == ProxyForwarding::bypass) &&
         bypass->suits(record_.peer, upstream);
}

bool Connection::may_use_wire(const Endpoint& upstream) const {
  const auto way = wanted();
  const auto& wire = worker_.paths().wire;
  return wire && (way == ProxyForwarding::automatic || way == ProxyForwarding::wire) &&
         wire->suits(record_.peer, upstream);
}

// Null: the relay carries it alone.
std::unique_ptr<KernelRelay> Connection::take(const SocketPair& pair) {
  const auto way = wanted();
  const auto& paths = worker_.paths();
  if (paths.sockmap && way == ProxyForwarding::sockmap) {
    kernel_path_ = ProxyForwarding::sockmap;
    return paths.sockmap->take(pair);
  }
  if (may_bypass(pair.upstream_remote)) {
    kernel_path_ = ProxyForwarding::bypass;
    return paths.bypass->take(pair);
  }
  return nullptr;
}

// Where the client connected to. Only a listener on every address has to ask.
Endpoint Connection::local_address() const {
  const auto& address = listener_.address;
  const bool every = address.is_ipv4() ? std::ranges::all_of(address.address | std::views::drop(12), is_zero)
                                       : std::ranges::all_of(address.address, is_zero);
  return every ? local_endpoint(client_->fd()) : address;
}

void Connection::relay() {
  SocketPair pair;
  pair.client_fd = client_->fd();
  pair.upstream_fd = upstream_.channel->fd();
  pair.client_remote = record_.peer;
  pair.client_local = local_address();
  pair.upstream_remote = upstream_.address;
  std::vector<std::uint8_t> bytes;
  if (route_->config.proxy_protocol != ProxyProtocolOut::off)
    bytes = write_proxy_header(route_->config.proxy_protocol, record_.client,
                               flight_.destination.value_or(pair.client_local));
  own_bytes_ = bytes.size();
  pair.skew_to_upstream =
      static_cast<std::int64_t>(own_bytes_ + upstream_.socks5.sent) - static_cast<std::int64_t>(flight_.header_size);
  pair.skew_to_client = -static_cast<std::int64_t>(upstream_.socks5.received);
  bytes.insert(bytes.end(), flight_.bytes.begin(), flight_.bytes.end());
  flight_ = {};

  auto& statistics = worker_.statistics();
  statistics.add_client_connection(record_.client);
  if (!route_->config.socks5) {
    record_.upstream_address = upstream_.address;
    statistics.add_domain_address(record_.server_name, upstream_.address);
  }
  auto kernel = take(pair);
  if (!kernel) kernel_path_ = ProxyForwarding::copy;
  const auto& timeouts = snapshot_->config.timeouts;
  RelayOptions options{worker_.paths().splice && wanted() != ProxyForwarding::copy, timeouts.idle, timeouts.half_closed,
                       true};
  if (!kernel && may_use_wire(pair.upstream_remote)) {
    const bool asked_for = wanted() == ProxyForwarding::wire;
    options.wire = worker_.paths().wire.get();
    options.wire_after_bytes = asked_for ? 0 : snapshot_->config.wire.after_bytes;
    options.wire_after = snapshot_->config.wire.after;
  }
  relay_ = std::make_unique<Relay>(worker_.loop(), worker_.pool(), std::move(client_), std::move(upstream_.channel),
                                   std::move(bytes), std::move(kernel), options, *this);
  relay_->start();
}

// Tells the client why, if it can be told.
Task<> Connection::dismiss(Refusal refusal) {
  record_.refusal = refusal;
  worker_.refuse(refusal, counters_of(refusal));
  auto answer = answer_of(refusal);
  if (answer.empty()) {
    reset_on_close(client_->fd());
    co_return;
  }
  const auto deadline = worker_.loop().now() + farewell;
  const bool sent = co_await send_all(worker_.loop(), *client_, std::move(answer), deadline);
  if (!sent) co_return;
  ::shutdown(client_->fd(), SHUT_WR);
  co_await read_until_end(worker_.loop(), *client_, deadline);
}

void Connection::report_traffic() {
  if (!relay_) return;
  const auto total = relay_->so_far().total();
  const auto received = total.to_upstream - std::min(total.to_upstream, own_bytes_);
  worker_.statistics().add_traffic(worker_.index(), record_.client, received - reported_received_,
                                   total.to_client - reported_sent_);
  reported_received_ = received;
  reported_sent_ = total.to_client;
}

void Connection::count_path(const RelayResult& result) {
  const auto carried = [](const Carried& some) { return some.to_upstream + some.to_client > 0; };
  record_.path = carried(result.spliced) ? ProxyForwarding::splice : ProxyForwarding::copy;
  if (carried(result.kernel)) record_.path = kernel_path_;
  for (const auto& [path, counter] : path_counters)
    if (path == record_.path) worker_.count(counter);
}

void Connection::set_bytes(const RelayResult& result) {
  const auto total = result.total();
  record_.bytes_received = total.to_upstream - std::min(total.to_upstream, own_bytes_);
  record_.bytes_sent = total.to_client;
  record_.bytes_by_kernel = result.kernel.to_upstream + result.kernel.to_client;
  worker_.statistics().add_traffic(worker_.index(), record_.client, record_.bytes_received - reported_received_,
                                   record_.bytes_sent - reported_sent_);
}

void Connection::relay_ended(Relay&, const RelayResult& result) {
  set_bytes(result);
  record_.end = relay_end_reason_name(result.reason);
  count_path(result);
  finish();
}

void Connection::relay_handed_over(Relay&, std::uint32_t index, Fd client, Fd upstream, const RelayResult& result) {
  set_bytes(result);
  worker_.wire_connections().hand_over(index, std::move(client), std::move(upstream), record_,
                                       std::exchange(entered_, false), std::exchange(upstream_.group, nullptr),
                                       upstream_.index);
  worker_.forget(*this);
}

void Connection::abort() {
  if (relay_) return relay_->abort(RelayEndReason::stopped);
  record_.refusal = Refusal::stopped;
  worker_.refuse(Refusal::stopped, {});
  if (client_ && client_->is_open()) reset_on_close(client_->fd());
  finish();
}

void Connection::finish() {
  record_.total = Clock::now() - accepted_;
  worker_.statistics().log(record_);
  worker_.forget(*this);
}

}  // namespace sonde::proxy
