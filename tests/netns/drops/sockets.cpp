// SPDX-License-Identifier: Apache-2.0
#include "sockets.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

namespace sonde::test {
namespace {

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address make_address(int family, const std::string& text, std::uint16_t port) {
  Address address;
  address.storage.ss_family = static_cast<sa_family_t>(family);
  auto& four = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& six = reinterpret_cast<sockaddr_in6&>(address.storage);
  (family == AF_INET ? four.sin_port : six.sin6_port) = htons(port);
  void* bytes = family == AF_INET ? static_cast<void*>(&four.sin_addr) : static_cast<void*>(&six.sin6_addr);
  check(::inet_pton(family, text.c_str(), bytes) == 1, "inet_pton");
  address.size = family == AF_INET ? sizeof(four) : sizeof(six);
  return address;
}

Address address_of(const std::string& text, std::uint16_t port) {
  return make_address(text.find(':') == std::string::npos ? AF_INET : AF_INET6, text, port);
}

Fd open_here(int family, int type, std::uint16_t port) {
  Fd fd(::socket(family, type | SOCK_CLOEXEC, 0));
  check(static_cast<bool>(fd), "socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (port == 0) return fd;
  const auto any = make_address(family, family == AF_INET ? "0.0.0.0" : "::", port);
  check(::bind(fd.get(), any.get(), any.size) == 0, "bind");
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
  const auto to = address_of(address, port);
  return ::sendto(socket.get(), text.data(), text.size(), 0, to.get(), to.size) < 0 ? errno : 0;
}

int connect_to(const Fd& socket, const std::string& address, std::uint16_t port) {
  const auto to = address_of(address, port);
  return ::connect(socket.get(), to.get(), to.size) < 0 ? errno : 0;
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
