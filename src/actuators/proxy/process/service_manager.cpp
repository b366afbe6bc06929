// SPDX-License-Identifier: Apache-2.0
// The two protocols of systemd that a service needs, as sd_listen_fds(3) and sd_notify(3) describe them. They are
// stable by promise, and too small for a library of their own.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

#include "actuators/proxy/process/sockets.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START

// NOLINTBEGIN(concurrency-mt-unsafe): at the start, before there are threads
long number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return -1;
  long number = -1;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, number);
  return parsed.ec == std::errc{} && parsed.ptr == end ? number : -1;
}

void clear_environment() {
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"}) ::unsetenv(variable);
}
// NOLINTEND(concurrency-mt-unsafe)

int option_of(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

Result<ListeningSocket> take(int descriptor) {
  Fd fd(descriptor);
  const std::string what = fmt::format("LISTEN_FDS: descriptor {}", descriptor);
  const int family = option_of(descriptor, SO_DOMAIN);
  if (option_of(descriptor, SO_TYPE) != SOCK_STREAM || (family != AF_INET && family != AF_INET6))
    return fail(ErrorKind::usage, what + ": expected a TCP socket", "ListenStream= with a port in the .socket unit");
  if (option_of(descriptor, SO_ACCEPTCONN) != 1)
    return fail(ErrorKind::usage, what + ": expected a listening socket", "Accept=no in the .socket unit");
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
    return fail_errno(what);
  return ListeningSocket{.address = local_endpoint(descriptor), .fd = std::move(fd)};
}

}  // namespace

Result<std::vector<ListeningSocket>> activated_sockets() {
  const long pid = number_in("LISTEN_PID");
  const long count = number_in("LISTEN_FDS");
  clear_environment();
  std::vector<ListeningSocket> sockets;
  if (pid != ::getpid()) return sockets;
  for (int fd = first_descriptor; fd < first_descriptor + count; ++fd) {
    auto socket = take(fd);
    if (!socket) return std::unexpected(socket.error());
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

void notify_service_manager(const std::string& state) {
  const char* name = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return;
  const std::string_view path(name);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  std::string text = state;
  if (state.starts_with("RELOADING=1")) {  // Type=notify-reload wants to know since when
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    text += fmt::format("\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000);
  }
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  ::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace sonde::proxy
