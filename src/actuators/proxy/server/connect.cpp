// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/connect.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "actuators/proxy/protocol/socks5.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

constexpr std::chrono::milliseconds attempt_delay{250};  // RFC 8305 section 5
constexpr std::size_t most_attempts = 7;                 // at a time: what Loop::any() can wait for

struct Attempt {
  Connected connection;
  Clock::time_point deadline;
};

std::unexpected<Error> connect_error(int code, const Endpoint& address) {
  return std::unexpected(Error{ErrorKind::failed, code, "connect " + address.text(), {}});
}

Result<Attempt> begin(Loop& loop, const Endpoint& address, const ConnectOptions& options) {
  const SocketAddress to(address);
  Fd fd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return connect_error(errno, address);
  if (options.prepare) options.prepare(fd.get(), address);
  if (::connect(fd.get(), to.get(), to.size()) != 0 && errno != EINPROGRESS) return connect_error(errno, address);
  Attempt attempt{{std::make_unique<Channel>(), address}, loop.now() + options.timeout};
  if (auto opened = attempt.connection.channel->open(loop, std::move(fd)); !opened)
    return std::unexpected(opened.error());
  attempt.connection.channel->clear(EPOLLIN | EPOLLOUT);
  return attempt;
}

int socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

// Connections under way, oldest first.
struct Attempts {
  std::vector<Attempt> list;
  Error last{ErrorKind::failed, 0, "no address", {}};

  void fail(std::size_t index, int code) {
    last = connect_error(code, list[index].connection.address).error();
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(index));
  }

  void expire(Clock::time_point now) {
    for (std::size_t i = list.size(); i-- > 0;)
      if (list[i].deadline <= now) fail(i, ETIMEDOUT);
  }
};

}  // namespace

Task<Result<Connected>> connect_any(Loop& loop, std::vector<Endpoint> addresses, ConnectOptions options) {
  Attempts attempts;
  std::size_t next = 0;
  auto next_at = loop.now();
  while (next < addresses.size() || !attempts.list.empty()) {
    if (next < addresses.size() && attempts.list.size() < most_attempts &&
        (attempts.list.empty() || loop.now() >= next_at)) {
      auto attempt = begin(loop, addresses[next++], options);
      next_at = loop.now() + attempt_delay;
      if (attempt) {
        attempts.list.push_back(std::move(*attempt));
      } else {
        attempts.last = attempt.error();
        continue;
      }
    }
    std::array<Wait, most_attempts> waits{};
    auto deadline = next < addresses.size() ? next_at : Loop::never;
    for (std::size_t i = 0; i < attempts.list.size(); ++i) {
      waits[i] = {attempts.list[i].connection.channel.get(), EPOLLOUT};
      deadline = std::min(deadline, attempts.list[i].deadline);
    }
    const std::span<const Wait> all(waits.data(), attempts.list.size());
    const int ready = co_await loop.any(all, deadline);
    if (ready < 0) {
      attempts.expire(loop.now());
      continue;
    }
    const auto index = static_cast<std::size_t>(ready);
    const auto& channel = *attempts.list[index].connection.channel;
    const int error = channel.ready() & (EPOLLERR | EPOLLHUP) ? socket_error(channel.fd()) : 0;
    if (error == 0) co_return std::move(attempts.list[index].connection);
    attempts.fail(index, error);
    next_at = loop.now();
  }
  co_return std::unexpected(attempts.last);
}

Task<bool> send_all(Loop& loop, Channel& channel, std::vector<std::uint8_t> bytes, Clock::time_point deadline) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const auto size = ::send(channel.fd(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size >= 0) {
      sent += static_cast<std::size_t>(size);
      continue;
    }
    if (errno != EAGAIN) co_return false;
    channel.clear(EPOLLOUT);
    const bool writable = co_await loop.ready(channel, EPOLLOUT, deadline);
    if (!writable) co_return false;
  }
  co_return true;
}

Task<Result<Socks5Traffic>> connect_through(Loop& loop, Channel& channel, ProxySocks5 server, ProxyUpstream target,
                                            Clock::time_point deadline) {
  Socks5Client client(server, target.host, target.port);
  Socks5Traffic traffic;
  std::array<std::uint8_t, 512> answer{};  // the longest is 262 bytes
  std::size_t size = 0;
  const auto failed = [&](int code, std::string what) {
    return std::unexpected(Error{ErrorKind::failed, code, "SOCKS5 server " + server.server.text() + ": " + what, {}});
  };
  for (;;) {
    const auto state = client.step({answer.data(), size});
    // Answers are looked at first and taken out of the queue only as far as they belong to SOCKS5: what is behind them
    // is the upstream's.
    if (const auto consumed = client.consumed(); consumed > 0) {
      [[maybe_unused]] const auto taken = ::recv(channel.fd(), answer.data(), consumed, 0);
      traffic.received += consumed;
    }
    // Too little to be understood: not before there is more.
    if (state == Socks5State::needs_more && client.consumed() == 0) channel.clear(EPOLLIN);
    size = 0;
    if (state == Socks5State::connected) co_return traffic;
    if (state == Socks5State::failed) co_return failed(0, client.error());
    if (state == Socks5State::send) {
      auto out = client.out();
      traffic.sent += out.size();
      const bool sent = co_await send_all(loop, channel, std::move(out), deadline);
      if (!sent) co_return failed(loop.now() >= deadline ? ETIMEDOUT : ECONNRESET, "not reached");
    }
    while (size == 0) {
      const bool readable = co_await loop.ready(channel, EPOLLIN, deadline);
      if (!readable) co_return failed(ETIMEDOUT, "no answer");
      const auto peeked = ::recv(channel.fd(), answer.data(), answer.size(), MSG_PEEK);
      if (peeked == 0) co_return failed(0, "it closed the connection");
      if (peeked > 0) size = static_cast<std::size_t>(peeked);
      if (peeked < 0 && errno != EAGAIN) co_return failed(errno, "read");
      if (peeked < 0) channel.clear(EPOLLIN);
    }
  }
}

}  // namespace sonde::proxy
