// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/sockmap/sockmap_trial.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

constexpr int buffer_bytes = 65'536;
constexpr std::size_t too_much = 64 * buffer_bytes;
constexpr int quiet_rounds = 20;  // of a millisecond

Fd tcp_socket() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const int name : {SO_SNDBUF, SO_RCVBUF})
    ::setsockopt(fd.get(), SOL_SOCKET, name, &buffer_bytes, sizeof(buffer_bytes));
  return fd;
}

struct Connection {
  Fd near;
  Fd far;
};

Result<Connection> connect_over_loopback() {
  const Fd listener = tcp_socket();
  Endpoint any;
  any.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
  const SocketAddress address(any);
  if (::bind(listener.get(), address.get(), address.size()) != 0 || ::listen(listener.get(), 1) != 0)
    return fail_errno("cannot listen on loopback");
  const SocketAddress to(local_endpoint(listener.get()));
  Connection made{tcp_socket(), {}};
  if (::connect(made.near.get(), to.get(), to.size()) != 0) return fail_errno("cannot connect over loopback");
  made.far.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!made.far) return fail_errno("cannot accept over loopback");
  return made;
}

}  // namespace

Result<void> sender_is_held_back(KernelPath& path) {
  auto client = connect_over_loopback();
  if (!client) return std::unexpected(client.error());
  auto upstream = connect_over_loopback();
  if (!upstream) return std::unexpected(upstream.error());
  SocketPair pair;
  pair.client_fd = client->far.get();
  pair.upstream_fd = upstream->near.get();
  const auto relay = path.take(pair);
  if (!relay) return fail(ErrorKind::failed, "the sk_skb relay did not take a connection over loopback");
  relay->begin();
  const std::vector<std::uint8_t> bytes(buffer_bytes);
  std::size_t sent = 0;
  for (int quiet = 0; quiet < quiet_rounds && sent < too_much;) {
    const ssize_t size = ::send(client->near.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) {
      sent += static_cast<std::size_t>(size);
      quiet = 0;
    } else {
      ++quiet;
      std::this_thread::sleep_for(1ms);
    }
  }
  if (relay->carried().to_upstream == 0)
    return fail(ErrorKind::unsupported, "the sk_skb relay carried nothing over loopback");
  if (sent >= too_much)
    return fail(ErrorKind::unsupported, "this kernel queues without bound what a sk_skb program passes to user space",
                "Linux 6.4, and 6.1 as distributions keep it, hold the sender back");
  return {};
}

}  // namespace sonde::proxy
