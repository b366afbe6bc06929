// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/sockets.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>

#include "actuators/proxy/process/port_holder.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

std::unexpected<Error> in_use(const std::string& what, const std::string& holder) {
  return fail(ErrorKind::failed, holder.empty() ? what : fmt::format("{} (by {})", what, holder), {}, EADDRINUSE);
}

std::unexpected<Error> bind_failure(const Endpoint& address) {
  const int code = errno;
  const std::string what = fmt::format("listen on {}", address.text());
  if (code == EADDRINUSE) return in_use(what, who_has(address));
  if (code == EACCES)
    return fail_errno(code, what, "ports below net.ipv4.ip_unprivileged_port_start need root or CAP_NET_BIND_SERVICE");
  if (code == EADDRNOTAVAIL) return fail_errno(code, what, "no interface of this host has the address");
  return fail_errno(code, what);
}

// Two programs of one user that both set SO_REUSEPORT share a port, and each gets half of the clients without a word.
Result<void> nobody_else_has(const Endpoint& address, pid_t predecessor) {
  if (address.port == 0) return {};
  for (const Listener& listener : listeners_at(address.port))
    if (listener.address == address && !is_ours(listener) && (predecessor == 0 || !is_of(predecessor, listener)))
      return in_use(fmt::format("listen on {}", address.text()), who_has(address));
  return {};
}

Result<void> set(int fd, int level, int option, const char* name) {
  const int on = 1;
  if (::setsockopt(fd, level, option, &on, sizeof(on)) != 0) return fail_errno(name);
  return {};
}

}  // namespace

Result<ListeningSocket> listen_on(const Endpoint& address, bool share_port, pid_t predecessor) {
  if (share_port)
    if (auto free = nobody_else_has(address, predecessor); !free) return std::unexpected(free.error());
  const SocketAddress name(address);
  Fd fd(::socket(name.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd) return fail_errno(fmt::format("listen on {}", address.text()));
  if (auto done = set(fd.get(), SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR"); !done) return std::unexpected(done.error());
  if (share_port)
    if (auto done = set(fd.get(), SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT"); !done)
      return std::unexpected(done.error());
  if (name.family() == AF_INET6)
    if (auto done = set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY"); !done)
      return std::unexpected(done.error());
  if (::bind(fd.get(), name.get(), name.size()) != 0) return bind_failure(address);
  // Cut down to net.core.somaxconn by the kernel (net/socket.c, __sys_listen).
  if (::listen(fd.get(), INT_MAX) != 0) return bind_failure(address);
  const Endpoint bound = local_endpoint(fd.get());
  return ListeningSocket{.address = bound, .fd = std::move(fd)};
}

}  // namespace sonde::proxy
