// SPDX-License-Identifier: Apache-2.0
#include "filtered_host.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "base/socket_address.hpp"
#include "harness/command.hpp"

namespace sonde::test {
namespace {

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

void join(const NetworkNamespace& host, const NetworkNamespace& other, const std::string& name, int number) {
  add_veth(host, name, other, "eth0");
  const auto configure = [&](const NetworkNamespace& where, const std::string& interface, int last) {
    where.run(fmt::format("ip address add 10.{0}.0.{1}/24 dev {2}; ip address add fd0{0}::{1}/64 dev {2} nodad", number,
                          last, interface));
  };
  configure(host, name, 1);
  configure(other, "eth0", 2);
  other.run(fmt::format("ip route add default via 10.{}.0.1", number));
}

Fd tcp_socket(const SocketAddress& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  check(static_cast<bool>(fd), "socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  return fd;
}

}  // namespace

Endpoint endpoint(const std::string& address, std::uint16_t port) {
  Endpoint made;
  made.port = port;
  if (address.find(':') != std::string::npos) {
    check(::inet_pton(AF_INET6, address.c_str(), made.address.data()) == 1, "inet_pton");
    return made;
  }
  made.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  check(::inet_pton(AF_INET, address.c_str(), made.address.data() + 12) == 1, "inet_pton");
  return made;
}

std::vector<GuardNetwork> networks(const std::vector<std::string>& words) {
  std::vector<GuardNetwork> made;
  for (const auto& word : words) {
    const auto slash = word.find('/');
    const auto address = endpoint(word.substr(0, slash), 0);
    const int bits = std::stoi(word.substr(slash + 1)) + (address.is_ipv4() ? 96 : 0);
    made.push_back({address.address, static_cast<std::uint8_t>(bits)});
  }
  return made;
}

Fd listen_in(const NetworkNamespace& where, const std::string& address, std::uint16_t port) {
  Fd fd;
  where.call([&] {
    const SocketAddress name(endpoint(address, port));
    fd = tcp_socket(name);
    check(::bind(fd.get(), name.get(), name.size()) == 0, "bind");
    check(::listen(fd.get(), 4096) == 0, "listen");
  });
  return fd;
}

Fd connect_from(const NetworkNamespace& where, const std::string& address, std::uint16_t port,
                const std::string& source) {
  Fd fd;
  where.call([&] {
    const SocketAddress name(endpoint(address, port));
    fd = tcp_socket(name);
    if (!source.empty()) {
      const SocketAddress own(endpoint(source, 0));
      check(::bind(fd.get(), own.get(), own.size()) == 0, "bind");
    }
    if (::connect(fd.get(), name.get(), name.size()) == 0) return;
    check(errno == EINPROGRESS, "connect");
    pollfd waiting{fd.get(), POLLOUT, 0};
    int error = ETIMEDOUT;
    socklen_t size = sizeof(error);
    if (::poll(&waiting, 1, 500) == 1) ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) fd.reset();
  });
  return fd;
}

bool connects(const NetworkNamespace& where, const std::string& address, std::uint16_t port,
              const std::string& source) {
  return static_cast<bool>(connect_from(where, address, port, source));
}

Fd accept_from(const Fd& listener) {
  pollfd waiting{listener.get(), POLLIN, 0};
  check(::poll(&waiting, 1, 2000) == 1, "poll");
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  check(static_cast<bool>(fd), "accept4");
  const timeval patience{3, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  return fd;
}

std::uint64_t tcp_counter(const NetworkNamespace& where, const std::string& name) {
  const auto lines = lines_of(where.run("grep ^Tcp: /proc/thread-self/net/snmp"));
  const auto names = split(lines.at(0), ' '), values = split(lines.at(1), ' ');
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return std::stoull(values.at(i));
  throw std::runtime_error("no counter " + name);
}

FilteredHost::FilteredHost() {
  join(host, ally, "friend0", 1);
  join(host, stranger, "stranger0", 2);
}

std::unique_ptr<proxy::ClientFilter> FilteredHost::filter(const std::vector<std::string>& interfaces,
                                                          const std::vector<Endpoint>& listeners,
                                                          const std::vector<std::string>& clients) const {
  std::unique_ptr<proxy::ClientFilter> made;
  host.call([&] {
    auto attached = proxy::ClientFilter::attach(interfaces, listeners, networks(clients));
    if (!attached) throw std::runtime_error(attached.error().text());
    made = std::move(*attached);
  });
  return made;
}

}  // namespace sonde::test
