// SPDX-License-Identifier: Apache-2.0
#include "peers.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace sonde::test {
namespace {

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

socklen_t loopback(int family, std::uint16_t port, sockaddr_storage& out) {
  out = {};
  if (family == AF_INET) {
    auto& address = reinterpret_cast<sockaddr_in&>(out);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(address);
  }
  auto& address = reinterpret_cast<sockaddr_in6&>(out);
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return sizeof(address);
}

void send_descriptor(int channel, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  check(::sendmsg(channel, &message, 0) == 1, "sendmsg");
}

int receive_descriptor(int channel) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  int fd = -1;
  if (::recvmsg(channel, &message, 0) != 1) return fd;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr) std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return fd;
}

}  // namespace

LoopbackTcp connect_loopback(int family, bool accept) {
  LoopbackTcp tcp{Fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), Fd(), Fd()};
  sockaddr_storage address{};
  socklen_t size = loopback(family, 0, address);
  check(static_cast<bool>(tcp.listener), "socket");
  check(::bind(tcp.listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
  check(::listen(tcp.listener.get(), 8) == 0, "listen");
  check(::getsockname(tcp.listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  tcp.client.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(static_cast<bool>(tcp.client), "socket");
  check(::connect(tcp.client.get(), reinterpret_cast<sockaddr*>(&address), size) == 0, "connect");
  if (accept) tcp.accepted.reset(::accept4(tcp.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return tcp;
}

pid_t in_child(const std::function<void()>& function) {
  const pid_t child = ::fork();
  check(child >= 0, "fork");
  if (child == 0) {
    function();
    ::_exit(0);
  }
  check(::waitpid(child, nullptr, 0) == child, "waitpid");
  return child;
}

pid_t pass_to_child(int fd, const std::function<void(int fd)>& function) {
  int channel[2];
  check(::socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0, "socketpair");
  const Fd here(channel[0]);
  Fd there(channel[1]);
  const pid_t child = ::fork();
  check(child >= 0, "fork");
  if (child == 0) {
    ::close(fd);  // what it gets is what was passed
    function(receive_descriptor(there.get()));
    ::_exit(0);
  }
  there.reset();
  send_descriptor(here.get(), fd);
  check(::waitpid(child, nullptr, 0) == child, "waitpid");
  return child;
}

std::uint64_t own_start_ticks() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string field;
  constexpr int start_time = 22 - 2;  // proc(5) counts from 1, and two fields stand before the state
  for (int i = 0; i < start_time; ++i) fields >> field;
  return std::stoull(field);
}

}  // namespace sonde::test
