// SPDX-License-Identifier: Apache-2.0
#include "peers.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "base/socket_address.hpp"

namespace sonde::proxy::test {
namespace {

constexpr int patience_ms = 10'000;

bool wait_for(int fd, short events) {
  pollfd waiting{fd, events, 0};
  return ::poll(&waiting, 1, patience_ms) > 0;
}

void set_blocking(int fd, bool blocking) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

[[noreturn]] void complain(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

Fd listen_at(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (::bind(fd.get(), address.get(), address.size()) != 0 || ::listen(fd.get(), 128) != 0) complain("listen");
  return fd;
}

Fd connect_to(const Endpoint& endpoint, bool blocking) {
  const SocketAddress address(endpoint);
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), address.get(), address.size()) != 0) complain("connect");
  set_blocking(fd.get(), blocking);
  return fd;
}

Fd accept_from(const Fd& listener, bool blocking) {
  if (!wait_for(listener.get(), POLLIN)) complain("nobody connects");
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) complain("accept");
  set_blocking(fd.get(), blocking);
  return fd;
}

std::uint8_t stream_byte(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t word = (i / 8 + seed * 0x100000001b3U) * 0x9e3779b97f4a7c15U;
  word ^= word >> 29;
  return static_cast<std::uint8_t>(word >> (i % 8 * 8));
}

bool send_stream(int fd, std::uint64_t seed, std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint8_t> bytes(64 << 10);
  while (from < to) {
    const std::uint64_t limit = bytes.size() >> (stream_byte(seed + 99, from) % 14);
    const auto size = std::min<std::uint64_t>(to - from, 1 + limit * stream_byte(seed + 98, from) / 256);
    for (std::uint64_t i = 0; i < size; ++i) bytes[i] = stream_byte(seed, from + i);
    const auto sent = ::send(fd, bytes.data(), size, MSG_NOSIGNAL);
    if (sent > 0) from += static_cast<std::uint64_t>(sent);
    if (sent < 0 && (errno != EAGAIN || !wait_for(fd, POLLOUT))) return false;
  }
  return true;
}

std::uint64_t receive_stream(int fd, std::uint64_t seed, std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint8_t> bytes(200 << 10);
  while (from < to) {
    const auto got = ::recv(fd, bytes.data(), std::min<std::uint64_t>(bytes.size(), to - from), 0);
    if (got == 0 || (got < 0 && (errno != EAGAIN || !wait_for(fd, POLLIN)))) return from;
    for (std::int64_t i = 0; i < got; ++i, ++from)
      if (bytes[static_cast<std::size_t>(i)] != stream_byte(seed, from)) return to + 1;
  }
  return from;
}

int receive_end(int fd) {
  std::uint8_t byte = 0;
  if (!wait_for(fd, POLLIN)) return -1;
  const auto got = ::recv(fd, &byte, 1, 0);
  if (got > 0) return -1;
  return got == 0 ? 0 : errno;
}

void reset(Fd& socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  socket.reset();
}

Bypassed::Bypassed(const Endpoint& address, std::vector<std::uint8_t> prefix) : listener(listen_at(address)) {
  auto made = Bypass::make();
  if (!made) throw std::runtime_error(made.error().text());
  bypass = std::move(*made);
  auto started = TrialProxy::start({.listen = address,
                                    .backend = local_endpoint(listener.get()),
                                    .path = bypass.get(),
                                    .splice = true,
                                    .prefix = std::move(prefix)});
  if (!started) throw std::runtime_error(started.error().text());
  proxy = std::move(*started);
}

bool talk(Joined& joined, std::uint64_t size) {
  if (!send_stream(joined.client.get(), 1, joined.to_backend, joined.to_backend + size)) return false;
  joined.to_backend += size;
  if (receive_stream(joined.backend.get(), 1, joined.to_backend - size, joined.to_backend) != joined.to_backend)
    return false;
  if (!send_stream(joined.backend.get(), 2, joined.to_client, joined.to_client + size)) return false;
  joined.to_client += size;
  return receive_stream(joined.client.get(), 2, joined.to_client - size, joined.to_client) == joined.to_client;
}

Joined join(const Bypassed& bypassed, bool carried) {
  Joined joined;
  const auto before = bypassed.bypass->traffic();
  joined.client = connect_to(bypassed.proxy->address());
  if (!send_stream(joined.client.get(), 1, 0, 300)) complain("send");
  joined.to_backend = 300;
  joined.backend = accept_from(bypassed.listener);
  if (receive_stream(joined.backend.get(), 1, 0, 300) != 300) complain("the first bytes did not arrive");
  int turns = 0;
  const bool done = eventually([&] {
    if (!talk(joined)) complain("talk");
    if (!carried) return ++turns == 5;
    const auto now = bypassed.bypass->traffic();
    return now.messages_to_backend > before.messages_to_backend && now.messages_to_client > before.messages_to_client;
  });
  if (!done) throw std::runtime_error("nothing is redirected");
  return joined;
}

}  // namespace sonde::proxy::test
