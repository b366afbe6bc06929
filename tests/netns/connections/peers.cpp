// SPDX-License-Identifier: Apache-2.0
#include "peers.hpp"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace sonde::test {
namespace {

bool is_ipv6(const std::string& address) { return address.find(':') != std::string::npos; }

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address socket_address(const std::string& text, std::uint16_t port) {
  Address address;
  auto* const ipv6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  auto* const ipv4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (is_ipv6(text)) {
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    ::inet_pton(AF_INET6, text.c_str(), &ipv6->sin6_addr);
    address.size = sizeof(*ipv6);
  } else {
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(port);
    ::inet_pton(AF_INET, text.c_str(), &ipv4->sin_addr);
    address.size = sizeof(*ipv4);
  }
  return address;
}

void tell(int ready) {
  const char byte = 1;
  if (::write(ready, &byte, 1) != 1) ::_exit(126);
}

}  // namespace

Peer::Peer(const NetworkNamespace& where, const std::function<int(int ready)>& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_IGN);
    ::close(ends[0]);
    if (::setns(where.fd(), CLONE_NEWNET) != 0) ::_exit(127);
    ::_exit(work(ends[1]));
  }
  ::close(ends[1]);
  ready_ = Fd(ends[0]);
}

Peer::~Peer() {
  if (pid_ <= 0 || gone_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Peer::wait_until_ready() const {
  char byte = 0;
  if (::read(ready_.get(), &byte, 1) != 1) throw std::runtime_error("the peer ended before it was ready");
}

int Peer::wait() {
  int status = 0;
  for (int i = 0; i < 1000; ++i) {
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      gone_ = true;
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return -1;
}

Gate::Gate() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
  read_ = Fd(ends[0]);
  write_ = Fd(ends[1]);
}

void Gate::wait() const {
  char byte = 0;
  if (::read(read_.get(), &byte, 1) != 1) ::_exit(126);
}

void Gate::open() const { tell(write_.get()); }

Fd tcp_socket(int family, int flags) { return Fd(::socket(family, SOCK_STREAM | flags, 0)); }

Fd listen_on(const std::string& address, std::uint16_t port, int backlog) {
  auto socket = tcp_socket(is_ipv6(address) ? AF_INET6 : AF_INET);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto where = socket_address(address, port);
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&where.storage), where.size) != 0) return {};
  if (::listen(socket.get(), backlog) != 0) return {};
  return socket;
}

Fd accept_from(const Fd& listener) { return Fd(::accept(listener.get(), nullptr, nullptr)); }

int connect_socket(const Fd& socket, const std::string& address, std::uint16_t port) {
  if (!socket) return EBADF;
  const auto where = socket_address(address, port);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where.storage), where.size) == 0 ? 0 : errno;
}

Fd connect_to(const std::string& address, std::uint16_t port) {
  auto socket = tcp_socket(is_ipv6(address) ? AF_INET6 : AF_INET);
  const int error = connect_socket(socket, address, port);
  if (error == 0) return socket;
  socket.reset();
  errno = error;
  return {};
}

void send_bytes(const Fd& socket, std::size_t count) {
  const std::string bytes(count, 'x');
  for (std::size_t done = 0; done < count;) {
    const auto sent = ::send(socket.get(), bytes.data() + done, count - done, MSG_NOSIGNAL);
    if (sent < 0) return;
    done += static_cast<std::size_t>(sent);
  }
}

std::size_t read_bytes(const Fd& socket, std::size_t count) {
  std::array<char, 65536> buffer{};
  std::size_t done = 0;
  while (done < count) {
    const auto size = ::read(socket.get(), buffer.data(), std::min(buffer.size(), count - done));
    if (size <= 0) break;
    done += static_cast<std::size_t>(size);
  }
  return done;
}

std::size_t read_to_end(const Fd& socket) { return read_bytes(socket, static_cast<std::size_t>(-1)); }

void wait_until_acknowledged(const Fd& socket) {
  int unacknowledged = 1;
  while (::ioctl(socket.get(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged != 0)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
}

void reset_on_close(const Fd& socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

std::function<int(int)> server(const std::string& address, std::uint16_t port,
                               const std::function<void(Fd& socket)>& serve) {
  return [=](int ready) {
    const auto listener = listen_on(address, port);
    if (!listener) return 1;
    tell(ready);
    auto socket = accept_from(listener);
    if (!socket) return 2;
    serve(socket);
    return 0;
  };
}

std::function<int(int)> client(const std::string& address, std::uint16_t port,
                               const std::function<void(Fd& socket)>& work) {
  return [=](int ready) {
    auto socket = connect_to(address, port);
    if (!socket) return 1;
    tell(ready);
    work(socket);
    return 0;
  };
}

}  // namespace sonde::test
