// SPDX-License-Identifier: Apache-2.0
#include "harness/traffic.hpp"

#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "harness/address.hpp"

namespace sonde::test {
namespace {

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

// A socket of the address's family in a namespace, bound to a port of all addresses.
Fd bound_socket(const NetworkNamespace& where, const std::string& like, int type, std::uint16_t port) {
  const auto any = socket_address(like.find(':') == std::string::npos ? "0.0.0.0" : "::", port);
  Fd fd;
  where.call([&] { fd.reset(::socket(any.family(), type, 0)); });
  check(static_cast<bool>(fd), "socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  check(::bind(fd.get(), any.get(), any.size()) == 0, "bind");
  return fd;
}

void transfer(const Fd& from, const Fd& to, const std::string& text) {
  check(::send(from.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()), "send");
  std::string received(text.size(), '\0');
  check(::recv(to.get(), received.data(), received.size(), MSG_WAITALL) == static_cast<ssize_t>(text.size()), "recv");
  if (received != text) throw std::runtime_error("TCP delivered other bytes");
}

void set_up(const NetworkNamespace& where, const std::string& interface, const std::string& own,
            const std::string& other, bool ipv6) {
  where.run("ip link set " + interface + " address 02:00:00:00:09:0" + own);
  if (ipv6) {  // no duplicate address detection, no router solicitations, no link-local address
    where.run("cd /proc/sys/net/ipv6/conf/" + interface +
              " && echo 0 > router_solicitations && echo 1 > addr_gen_mode");
    where.run("ip -6 address add fd09::" + own + "/64 dev " + interface + " nodad");
  }
  where.run("ip address add 10.9.0." + own + "/24 dev " + interface + " && ip link set " + interface + " up");
  std::vector<std::string> prefixes = {"10.9.0."};
  if (ipv6) prefixes.emplace_back("fd09::");
  const std::string neighbour =
      "ip neighbour add dev " + interface + " nud permanent lladdr 02:00:00:00:09:0" + other + " to ";
  for (const auto& prefix : prefixes) where.run(std::string(neighbour).append(prefix).append(other));
}

}  // namespace

Pair::Pair(NetworkNamespace::Ipv6 ipv6) : left(ipv6), right(ipv6) {
  left.run("ip link add veth0 type veth peer name veth1 netns " + right.path());
  set_up(left, "veth0", "1", "2", ipv6 == NetworkNamespace::Ipv6::on);
  set_up(right, "veth1", "2", "1", ipv6 == NetworkNamespace::Ipv6::on);
}

void send_frames(const NetworkNamespace& where, const std::string& interface, const std::vector<Bytes>& frames) {
  where.call([&] {
    const Fd fd(::socket(AF_PACKET, SOCK_RAW, 0));
    check(static_cast<bool>(fd), "AF_PACKET");
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    check(to.sll_ifindex != 0, interface.c_str());
    for (const auto& frame : frames) {
      const auto send = [&] {
        return ::sendto(fd.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
      };
      ssize_t sent = send();
      while (sent < 0 && (errno == ENOBUFS || errno == EAGAIN)) sent = send();
      check(sent == static_cast<ssize_t>(frame.size()), "sendto");
    }
  });
}

void send_frame(const NetworkNamespace& where, const std::string& interface, const Bytes& frame, std::size_t count) {
  send_frames(where, interface, std::vector<Bytes>(count, frame));
}

void send_udp(const NetworkNamespace& where, const std::string& to, std::uint16_t from_port, std::uint16_t port,
              const std::string& text) {
  const auto fd = bound_socket(where, to, SOCK_DGRAM, from_port);
  const auto address = socket_address(to, port);
  check(::sendto(fd.get(), text.data(), text.size(), 0, address.get(), address.size()) ==
            static_cast<ssize_t>(text.size()),
        "sendto");
}

void exchange_tcp(const NetworkNamespace& client, const NetworkNamespace& server, const std::string& address,
                  std::uint16_t client_port, std::uint16_t port, const std::string& request, const std::string& reply) {
  const auto listener = bound_socket(server, address, SOCK_STREAM, port);
  check(::listen(listener.get(), 1) == 0, "listen");
  const auto connection = bound_socket(client, address, SOCK_STREAM, client_port);
  const auto to = socket_address(address, port);
  check(::connect(connection.get(), to.get(), to.size()) == 0, "connect");
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));
  check(static_cast<bool>(accepted), "accept");
  transfer(connection, accepted, request);
  transfer(accepted, connection, reply);
  ::shutdown(connection.get(), SHUT_WR);
  char end = 0;
  check(::recv(accepted.get(), &end, 1, 0) == 0, "recv at the end");
}

}  // namespace sonde::test
