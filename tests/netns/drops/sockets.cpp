// SPDX-License-Identifier: Apache-2.0
#include "sockets.hpp"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include "harness/address.hpp"

namespace sonde::test {
namespace {

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

Fd open_here(int family, int type, std::uint16_t port) {
  Fd fd(::socket(family, type | SOCK_CLOEXEC, 0));
  check(static_cast<bool>(fd), "socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (port == 0) return fd;
  const auto any = socket_address(family == AF_INET ? "0.0.0.0" : "::", port);
  check(::bind(fd.get(), any.get(), any.size()) == 0, "bind");
  return fd;
}

[[noreturn]] void hold_socket(int family, int type, std::uint16_t port, int ready) {
  const Fd socket = open_here(family, type, port);
  if (type == SOCK_STREAM) ::listen(socket.get(), 8);
  if (::write(ready, "r", 1) != 1) ::_exit(1);
  for (;;) ::pause();
}

}  // namespace

Fd open_socket(const NetworkNamespace& where, int family, int type, std::uint16_t port) {
  Fd fd;
  where.call([&] { fd = open_here(family, type, port); });
  return fd;
}

int send_to(const Fd& socket, const std::string& address, std::uint16_t port, const std::string& text) {
  const auto to = socket_address(address, port);
  return ::sendto(socket.get(), text.data(), text.size(), 0, to.get(), to.size()) < 0 ? errno : 0;
}

int connect_to(const Fd& socket, const std::string& address, std::uint16_t port) {
  const auto to = socket_address(address, port);
  return ::connect(socket.get(), to.get(), to.size()) < 0 ? errno : 0;
}

SocketProcess::SocketProcess(const NetworkNamespace& where, int family, int type, std::uint16_t port) {
  int ready[2];
  check(::pipe(ready) == 0, "pipe");
  // The child never returns from call(), so it stays inside.
  where.call([&] {
    pid_ = ::fork();
    if (pid_ == 0) hold_socket(family, type, port, ready[1]);
  });
  check(pid_ >= 0, "fork");
  ::close(ready[1]);
  char byte = 0;
  const bool started = ::read(ready[0], &byte, 1) == 1;
  ::close(ready[0]);
  check(started, "the process did not start");
}

SocketProcess::~SocketProcess() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace sonde::test
