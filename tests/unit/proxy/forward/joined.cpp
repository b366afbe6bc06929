// SPDX-License-Identifier: Apache-2.0
#include "joined.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace sonde::proxy::test {
namespace {

Fd tcp_socket(int buffer) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (buffer != 0) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
  }
  return fd;
}

std::unique_ptr<Channel> channel_of(Loop& loop, Fd fd) {
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  auto channel = std::make_unique<Channel>();
  EXPECT_TRUE(channel->open(loop, std::move(fd)));
  return channel;
}

}  // namespace

std::pair<Fd, Fd> tcp_pair(int buffer) {
  const Fd listener = tcp_socket(buffer);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener.get(), generic, size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), generic, &size), 0);
  Fd near = tcp_socket(buffer);
  EXPECT_EQ(::connect(near.get(), generic, size), 0);
  Fd far(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(far);
  return {std::move(near), std::move(far)};
}

void reset(Fd& fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  fd.reset();
}

Joined::Joined(JoinedOptions options) {
  auto made = Loop::make();
  EXPECT_TRUE(made);
  loop = std::move(*made);
  pool = std::make_unique<RelayPool>(*loop);
  auto [client_near, client_far] = tcp_pair(options.buffer);
  auto [upstream_near, upstream_far] = tcp_pair(options.buffer);
  client = std::move(client_near);
  upstream = std::move(upstream_far);
  relay_client_fd = client_far.get();
  relay_upstream_fd = upstream_near.get();
  relay = std::make_unique<Relay>(*loop, *pool, channel_of(*loop, std::move(client_far)),
                                  channel_of(*loop, std::move(upstream_near)),
                                  std::vector<std::uint8_t>(options.first.begin(), options.first.end()),
                                  std::move(options.kernel), options.relay, *this);
}

Joined::~Joined() = default;

bool Joined::run_until(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    loop->run_once(5ms);
  }
  return true;
}

void Joined::run_for(std::chrono::milliseconds time) {
  const auto deadline = Clock::now() + time;
  while (Clock::now() < deadline) loop->run_once(2ms);
}

void Joined::relay_ended(Relay& which, const RelayResult& how) {
  EXPECT_EQ(&which, relay.get());
  result = how;
  ++told;
  if (destroy_when_told) relay.reset();
}

void Stream::add(const std::uint8_t* data, std::size_t size) {
  bytes += size;
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ data[i]) * 0x100000001b3;
}

Stream send_random(int fd, std::uint64_t bytes, std::uint64_t seed, std::size_t most, bool pauses) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> piece;
  Stream sent;
  while (sent.bytes < bytes) {
    const std::size_t wanted = random() % 3 == 0 ? random() % most + 1 : random() % 2000 + 1;
    piece.resize(std::min<std::uint64_t>(wanted, bytes - sent.bytes));
    for (auto& byte : piece) byte = static_cast<std::uint8_t>(random());
    for (std::size_t done = 0; done < piece.size();) {
      const ssize_t size = ::send(fd, piece.data() + done, piece.size() - done, MSG_NOSIGNAL);
      if (size < 0) {
        sent.error = errno;
        return sent;
      }
      sent.add(piece.data() + done, static_cast<std::size_t>(size));
      done += static_cast<std::size_t>(size);
    }
    if (pauses && random() % 50 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
  }
  ::shutdown(fd, SHUT_WR);
  return sent;
}

Stream receive(int fd, std::size_t most) {
  std::vector<std::uint8_t> buffer(most);
  Stream received;
  for (;;) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0) received.error = errno;
    if (size <= 0) return received;
    received.add(buffer.data(), static_cast<std::size_t>(size));
  }
}

std::string receive_some(int fd) {
  std::string text(1 << 20, '\0');
  const ssize_t size = ::recv(fd, text.data(), text.size(), MSG_DONTWAIT);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

void send_text(int fd, const std::string& text) {
  EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

}  // namespace sonde::proxy::test
