// SPDX-License-Identifier: Apache-2.0
#include "kernel/host_addresses.hpp"

#include <linux/if_addr.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernel/netlink.hpp"
#include "sonde/endpoint.hpp"

namespace sonde::kernel {
namespace {

bool is_loopback_ipv4(const Address& address) { return Endpoint{address, 0}.is_ipv4() && address[12] == 127; }

bool is_link_local(const Address& address) { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

void collect(const nlmsghdr& message, std::vector<Address>& addresses) {
  if (message.nlmsg_type != RTM_NEWADDR) return;
  const auto* header = reinterpret_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
  Address address{};
  for_each_attribute(message, sizeof(ifaddrmsg), [&](const rtattr& attribute) {
    // IFA_LOCAL is the interface's own address where IFA_ADDRESS is the peer's (point to point).
    const bool own = attribute.rta_type == IFA_LOCAL;
    if (header->ifa_family == AF_INET && own && RTA_PAYLOAD(&attribute) == 4) {
      address[10] = address[11] = 0xff;
      std::memcpy(&address[12], RTA_DATA(&attribute), 4);
    } else if (header->ifa_family == AF_INET6 && RTA_PAYLOAD(&attribute) == 16 &&
               (own || (attribute.rta_type == IFA_ADDRESS && address == Address{}))) {
      std::memcpy(address.data(), RTA_DATA(&attribute), 16);
    }
  });
  if (address != Address{} && !is_loopback_ipv4(address) && !is_link_local(address)) addresses.push_back(address);
}

}  // namespace

Result<HostAddresses> HostAddresses::make() {
  auto changes = open_rtnetlink(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
  if (!changes) return std::unexpected(changes.error());
  auto requests = open_rtnetlink();
  if (!requests) return std::unexpected(requests.error());
  HostAddresses host(std::move(*changes), std::move(*requests));
  if (auto done = host.read(); !done) return std::unexpected(done.error());
  return host;
}

Result<void> HostAddresses::read() {
  struct {
    nlmsghdr header;
    ifaddrmsg address;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETADDR;
  request.address.ifa_family = AF_UNSPEC;
  std::vector<Address> found;
  auto done = dump(requests_.get(), {reinterpret_cast<std::uint8_t*>(&request), sizeof(request)},
                   [&](const nlmsghdr& message) { collect(message, found); });
  if (!done) return done;
  std::ranges::sort(found);
  addresses_ = std::move(found);
  return {};
}

bool HostAddresses::refresh() {
  bool told = false;
  const auto received = receive_waiting(changes_.get(), [&](const nlmsghdr&) { told = true; });
  if (received && !told) return false;  // an error: messages were lost
  const auto before = addresses_;
  return read() && addresses_ != before;
}

bool HostAddresses::contains(const Address& address) const {
  return is_loopback_ipv4(address) || std::ranges::binary_search(addresses_, address);
}

}  // namespace sonde::kernel
