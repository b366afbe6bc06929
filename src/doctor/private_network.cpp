// SPDX-License-Identifier: Apache-2.0
#include "doctor/private_network.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>

#include "kernel/veth.hpp"

namespace sonde::doctor {
namespace {

constexpr const char* sender_name = "sonde0";
constexpr const char* veth_receiver_name = "sonde1";
constexpr std::uint32_t sender_address = 0xc0000201;  // 192.0.2.1 (RFC 5737); its class makes it a /24
constexpr std::uint32_t broadcast = 0xc00002ff;

Result<void> connect_pair(int socket) {
  for (const auto* name : {sender_name, veth_receiver_name}) {
    auto up = kernel::set_up(socket, name);
    if (!up) return up;
  }
  return kernel::set_address(socket, sender_name, sender_address);
}

}  // namespace

Result<PrivateNetwork> PrivateNetwork::enter() {
  if (::unshare(CLONE_NEWNET) != 0) return fail_errno("cannot make a network namespace");
  PrivateNetwork network;
  network.socket_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!network.socket_) return fail_errno("cannot open a UDP socket");
  const int socket = network.socket_.get();
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
  auto up = kernel::set_up(socket, "lo");
  if (!up) return std::unexpected(up.error());
  const auto pair = kernel::create_veth(sender_name, veth_receiver_name);
  if (!pair) network.missing_veth_ = pair.error().text();
  if (pair) up = connect_pair(socket);
  if (!up) return std::unexpected(up.error());
  network.receiver_name_ = pair ? veth_receiver_name : "lo";
  network.sender_ = ::if_nametoindex(pair ? sender_name : "lo");
  network.receiver_ = ::if_nametoindex(network.receiver_name_.c_str());
  network.destination_ = pair ? broadcast : INADDR_LOOPBACK;
  return network;
}

Result<void> PrivateNetwork::send(std::uint16_t port) const {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(destination_);
  constexpr char text[] = "sonde doctor";
  const auto sent =
      ::sendto(socket_.get(), text, sizeof(text), 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  // Nobody listens on loopback: the ICMP answer to the datagram before comes back as this error.
  if (sent < 0 && errno != ECONNREFUSED) return fail_errno("cannot send in the private network namespace");
  return {};
}

}  // namespace sonde::doctor
