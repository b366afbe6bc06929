// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/trial.hpp"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "actuators/proxy/wire/trial_network.hpp"
#include "actuators/proxy/wire/wire.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

using Failure = std::optional<std::string>;  ///< nothing: it went well
using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;
using Place = TrialNetwork::Place;

constexpr std::chrono::milliseconds patience{3000};  // without a byte; emulated machines are slow at first
constexpr std::size_t each_way = 2 << 20;
constexpr std::size_t before_join = 128 << 10;
constexpr std::size_t last_words = 64 << 10;
constexpr std::size_t held_at_most = 64 << 10;

std::string why(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

/// Bytes that no other place of the stream has: xorshift64, from a seed.
Bytes pattern(std::uint64_t seed, std::size_t size) {
  Bytes bytes(size);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;
  for (std::size_t i = 0; i < size; i += sizeof(state)) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(&bytes[i], &state, std::min(sizeof(state), size - i));
  }
  return bytes;
}

/// One direction of a connection: from a peer, by the proxy's two sockets as long as it relays, to the other peer.
struct Stream {
  int from = -1, to = -1;             ///< of the peers
  int proxy_in = -1, proxy_out = -1;  ///< of the proxy
  Bytes bytes;
  std::size_t sent = 0, received = 0, relayed = 0;
  Bytes held;  ///< of the proxy
  Failure failure;

  bool is_done() const { return received == bytes.size(); }

  /// Each: whether it moved something.
  bool send_some(std::size_t until) {
    if (sent >= until) return false;
    const auto size = ::send(from, bytes.data() + sent, until - sent, MSG_NOSIGNAL);
    if (size <= 0) return note_error("send", size);
    sent += static_cast<std::size_t>(size);
    return true;
  }
  bool receive_some() {
    std::array<std::uint8_t, held_at_most> buffer;
    const auto size = ::recv(to, buffer.data(), buffer.size(), 0);
    if (size < 0) return note_error("receive", size);
    if (size == 0) failure = "ends early";
    if (static_cast<std::size_t>(size) > bytes.size() - received ||
        std::memcmp(buffer.data(), bytes.data() + received, static_cast<std::size_t>(size)) != 0)
      failure = "corrupts: what arrives is not what was sent";
    received += static_cast<std::size_t>(size);
    return size > 0;
  }
  bool relay_some() {
    if (held.empty()) {
      held.resize(held_at_most);
      const auto size = ::recv(proxy_in, held.data(), held.size(), 0);
      held.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
      if (size <= 0) return note_error("receive", size);
    }
    const auto size = ::send(proxy_out, held.data(), held.size(), MSG_NOSIGNAL);
    if (size <= 0) return note_error("send", size);
    held.erase(held.begin(), held.begin() + size);
    relayed += static_cast<std::size_t>(size);
    return true;
  }

 private:
  bool note_error(const char* what, ssize_t result) {
    if (result < 0 && errno != EAGAIN) failure = why(what);
    return false;
  }
};

struct Connection {
  Fd client, to_client, to_upstream, server;
  std::uint32_t index = 0;
  bool joined = false, settled = false;
  Stream up, down;

  void set_streams(std::size_t size, std::uint64_t seed) {
    up = {.from = client.get(),
          .to = server.get(),
          .proxy_in = to_client.get(),
          .proxy_out = to_upstream.get(),
          .bytes = pattern(seed, size),
          .held = {},
          .failure = {}};
    down = {.from = server.get(),
            .to = client.get(),
            .proxy_in = to_upstream.get(),
            .proxy_out = to_client.get(),
            .bytes = pattern(seed + 1, size),
            .held = {},
            .failure = {}};
  }
};

bool wait_for(int fd, short events) {
  pollfd waiting{fd, events, 0};
  return ::poll(&waiting, 1, static_cast<int>(patience.count())) > 0;
}

class Trial {
 public:
  WireTrial run() {
    using enum WireTrial::Outcome;
    auto network = TrialNetwork::enter();
    if (!network) return {untried, "not tried: " + network.error().text()};
    network_ = &*network;
    auto wire = Wire::make({.connections = 16, .is_private = true});
    if (!wire) return {failed, wire.error().text()};
    wire_ = wire->get();
    auto failure = exchange_and_close();
    if (failure) return {failed, "self-test: " + *failure};
    failure = reset();
    if (failure) return {failed, "self-test: reset: " + *failure};
    return {passed, "self-test: 2 MiB each way, half-close, reset, between network namespaces"};
  }

 private:
  Failure connect(Fd& near, Fd& far, Place from, Place to, Endpoint address, const Connection* after);
  Failure establish(Connection& connection);
  Failure pump(Connection& connection);
  Failure try_join(Connection& connection) const;
  Failure exchange_and_close();
  Failure reset();

  const TrialNetwork* network_ = nullptr;
  Wire* wire_ = nullptr;
};

/// `near` is the one that connects. `after`: the proxy's, to an upstream.
Failure Trial::connect(Fd& near, Fd& far, Place from, Place to, Endpoint address, const Connection* after) {
  auto listener = network_->socket_in(to);
  if (!listener) return listener.error().text();
  auto socket = network_->socket_in(from);
  if (!socket) return socket.error().text();
  const SocketAddress any(address);
  if (::bind(listener->get(), any.get(), any.size()) != 0 || ::listen(listener->get(), 1) != 0) return why("listen");
  if (after != nullptr) wire_->prepare_upstream(socket->get(), after->to_client.get());
  const SocketAddress target(local_endpoint(listener->get()));
  if (::connect(socket->get(), target.get(), target.size()) != 0 && errno != EINPROGRESS) return why("connect");
  if (!wait_for(listener->get(), POLLIN)) return "no connection between the namespaces";
  far.reset(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!far || !wait_for(socket->get(), POLLOUT)) return why("accept");
  near = std::move(*socket);
  return {};
}

Failure Trial::establish(Connection& connection) {
  auto failure = connect(connection.client, connection.to_client, Place::client, Place::proxy,
                         TrialNetwork::proxy_to_client, nullptr);
  if (!failure)
    failure = connect(connection.to_upstream, connection.server, Place::proxy, Place::server, TrialNetwork::server,
                      &connection);
  return failure;
}

Failure Trial::try_join(Connection& connection) const {
  const auto held = [](const Stream& stream) { return static_cast<std::uint32_t>(stream.held.size()); };
  const auto verdict = wire_->join({.client_fd = connection.to_client.get(),
                                    .upstream_fd = connection.to_upstream.get(),
                                    .held_to_upstream = held(connection.up),
                                    .held_to_client = held(connection.down),
                                    .insists = true},
                                   connection.index);
  connection.joined = verdict == SONDE_WIRE_JOINED;
  if (connection.joined || verdict == SONDE_WIRE_OUT_OF_ORDER || verdict == SONDE_WIRE_UNSENT) return {};
  return std::string("is not taken: ") + wire_verdict_name(verdict);
}

/// Until both streams have arrived and the connection needs the proxy no more.
Failure Trial::pump(Connection& connection) {
  Stream& up = connection.up;
  Stream& down = connection.down;
  const auto size = up.bytes.size();
  auto end = Clock::now() + patience;
  while (!up.is_done() || !down.is_done() || !connection.settled) {
    bool moved = false;
    for (auto* stream : {&up, &down}) {
      // What sockets hold when they are joined does not take the wire.
      moved |= stream->send_some(connection.joined ? size : std::min(size, 2 * before_join));
      if (!connection.settled) moved |= stream->relay_some();
      if (!stream->is_done()) moved |= stream->receive_some();
      if (stream->failure) return stream->failure;
    }
    if (!connection.joined && std::min(up.relayed, down.relayed) >= std::min(before_join, size))
      if (auto failure = try_join(connection)) return failure;
    if (connection.joined && !connection.settled && up.held.empty() && down.held.empty())
      connection.settled = wire_->settle(connection.index, connection.to_client.get(), connection.to_upstream.get());
    if (moved) {
      end = Clock::now() + patience;
      continue;
    }
    if (Clock::now() > end) return connection.joined ? "stalls" : "is not taken";
    std::this_thread::sleep_for(std::chrono::microseconds{100});
  }
  return {};
}

Failure Trial::exchange_and_close() {
  Connection connection;
  if (auto failure = establish(connection)) return failure;
  connection.set_streams(each_way, 11);
  if (auto failure = pump(connection)) return failure;
  const auto& element = wire_->table().at(connection.index);
  for (const auto& side : element.sides)
    if (wire_bytes(side) < each_way / 2) return "packets do not take the wire";

  std::uint8_t byte = 0;
  ::shutdown(connection.client.get(), SHUT_WR);
  if (!wait_for(connection.server.get(), POLLIN) || ::recv(connection.server.get(), &byte, 1, 0) != 0)
    return "half-close: the end of the stream does not arrive";
  auto& down = connection.down;
  down.bytes = pattern(13, last_words);
  down.sent = down.received = 0;
  for (const auto end = Clock::now() + patience; !down.is_done();) {
    (void)down.send_some(last_words);
    if (!wait_for(connection.client.get(), POLLIN) || Clock::now() > end) return "half-close: stalls";
    (void)down.receive_some();
    if (down.failure) return "half-close: " + *down.failure;
  }
  ::shutdown(connection.server.get(), SHUT_WR);
  if (!wait_for(connection.client.get(), POLLIN) || ::recv(connection.client.get(), &byte, 1, 0) != 0)
    return "close: the end of the stream does not arrive";
  return {};
}

Failure Trial::reset() {
  Connection connection;
  if (auto failure = establish(connection)) return failure;
  connection.set_streams(1000, 17);
  if (auto failure = pump(connection)) return failure;
  const linger at_once{1, 0};
  (void)::setsockopt(connection.client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  connection.client.reset();
  std::uint8_t byte = 0;
  if (!wait_for(connection.server.get(), POLLIN)) return "it does not arrive";
  const auto got = ::recv(connection.server.get(), &byte, 1, 0);
  if (got == 0) return "it arrives as an end of stream";
  return got < 0 && errno == ECONNRESET ? Failure() : why("it does not arrive");
}

}  // namespace

WireTrial try_wire() {
  WireTrial result;
  std::thread([&] { result = Trial().run(); }).join();
  return result;
}

}  // namespace sonde::proxy
