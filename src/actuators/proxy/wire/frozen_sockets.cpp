// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/frozen_sockets.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

// TCP_REPAIR_OFF would send a window probe (net/ipv4/tcp.c, tcp_send_window_probe()).
constexpr int repair_off_silently = TCP_REPAIR_OFF_NO_WP;

bool set_tcp(int fd, int option, int value) {
  return ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) == 0;
}

Result<Fd> repair_socket(int family) {
  Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd) return fail_errno("cannot open a socket");
  if (auto frozen = freeze_socket(fd.get()); !frozen) return std::unexpected(frozen.error());
  return fd;
}

bool set_queue(int fd, int queue, std::uint32_t sequence) {
  return set_tcp(fd, TCP_REPAIR_QUEUE, queue) &&
         ::setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &sequence, sizeof(sequence)) == 0;
}

// In repair mode bind() takes a port that others have (SK_FORCE_REUSE), and connect() sends nothing.
Result<void> establish(int fd, const Endpoint& local, const Endpoint& remote) {
  const SocketAddress from(local);
  const SocketAddress to(remote);
  if (::bind(fd, from.get(), from.size()) != 0) return fail_errno("cannot reserve " + local.text());
  if (::connect(fd, to.get(), to.size()) != 0)
    return fail_errno("cannot reserve " + local.text() + " to " + remote.text());
  return {};
}

}  // namespace

Result<void> freeze_socket(int fd) {
  if (!set_tcp(fd, TCP_REPAIR, TCP_REPAIR_ON)) return fail_errno("cannot set TCP_REPAIR", "it needs CAP_NET_ADMIN");
  return {};
}

// Leaving repair mode takes SO_REUSEADDR away, without which no listener could be bound beside the socket.
Result<void> thaw_socket(int fd) {
  if (!set_tcp(fd, TCP_REPAIR, repair_off_silently)) return fail_errno("cannot end TCP_REPAIR");
  const int reuse = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) != 0) return fail_errno("SO_REUSEADDR");
  return {};
}

Result<Fd> reserve_socket(const Endpoint& local, const Endpoint& remote) {
  auto fd = repair_socket(SocketAddress(local).family());
  if (!fd) return fd;
  if (auto established = establish(fd->get(), local, remote); !established) return std::unexpected(established.error());
  return fd;
}

// Closing a socket that may not linger is a reset of the sequence number that it would send next.
Result<void> reset_remote(const Endpoint& local, const Endpoint& remote, std::uint32_t sequence,
                          std::uint32_t acknowledgement) {
  const auto fd = repair_socket(SocketAddress(local).family());
  if (!fd) return std::unexpected(fd.error());
  if (!set_queue(fd->get(), TCP_SEND_QUEUE, sequence) || !set_queue(fd->get(), TCP_RECV_QUEUE, acknowledgement))
    return fail_errno("cannot set the sequence numbers of a socket");
  if (auto established = establish(fd->get(), local, remote); !established) return established;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  if (!set_tcp(fd->get(), TCP_REPAIR, repair_off_silently) ||
      ::setsockopt(fd->get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) != 0)
    return fail_errno("cannot reset " + remote.text());
  return {};
}

}  // namespace sonde::proxy
