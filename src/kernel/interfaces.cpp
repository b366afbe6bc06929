// SPDX-License-Identifier: Apache-2.0
#include "kernel/interfaces.hpp"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>

#include <cstring>
#include <limits>
#include <optional>

#include "kernel/netlink.hpp"

namespace sonde::kernel {
namespace {

template <class Fixed>
struct Request {
  nlmsghdr header{};
  Fixed fixed{};

  Request(std::uint16_t type, unsigned char family) {
    static_assert(sizeof(Request) == sizeof(nlmsghdr) + sizeof(Fixed));
    header.nlmsg_type = type;
    reinterpret_cast<unsigned char&>(fixed) = family;  // the first byte of ifinfomsg and rtmsg
  }
  std::span<std::uint8_t> bytes() { return {reinterpret_cast<std::uint8_t*>(this), sizeof(*this)}; }
};

template <class T>
T attribute_value(const rtattr& attribute) {
  T value{};
  std::memcpy(&value, RTA_DATA(&attribute), std::min(sizeof(value), static_cast<std::size_t>(RTA_PAYLOAD(&attribute))));
  return value;
}

// Interfaces whose packets start with an Ethernet header; all others are read as bare IP.
LinkType link_type(std::uint16_t hardware) {
  const bool ethernet = hardware == ARPHRD_ETHER || hardware == ARPHRD_LOOPBACK;
  return ethernet ? LinkType::ethernet : LinkType::raw_ip;
}

InterfaceCounters read_counters(const rtattr& attribute) {
  const auto stats = attribute_value<rtnl_link_stats64>(attribute);
  return {.rx_packets = stats.rx_packets,
          .rx_bytes = stats.rx_bytes,
          .tx_packets = stats.tx_packets,
          .tx_bytes = stats.tx_bytes,
          .rx_missed = stats.rx_missed_errors + stats.rx_fifo_errors,
          .rx_dropped = stats.rx_dropped,
          .tx_dropped = stats.tx_dropped};
}

std::uint32_t read_xdp_program(const rtattr& nested) {
  std::uint32_t program = 0;
  auto left = static_cast<int>(RTA_PAYLOAD(&nested));
  for (const auto* entry = static_cast<const rtattr*>(RTA_DATA(&nested)); RTA_OK(entry, left);
       entry = RTA_NEXT(entry, left)) {
    const auto type = entry->rta_type;
    const bool id = type == IFLA_XDP_PROG_ID || type == IFLA_XDP_DRV_PROG_ID || type == IFLA_XDP_SKB_PROG_ID;
    if (id && program == 0) program = attribute_value<std::uint32_t>(*entry);
  }
  return program;
}

std::string read_kind(const rtattr& nested) {
  auto left = static_cast<int>(RTA_PAYLOAD(&nested));
  for (const auto* entry = static_cast<const rtattr*>(RTA_DATA(&nested)); RTA_OK(entry, left);
       entry = RTA_NEXT(entry, left))
    if (entry->rta_type == IFLA_INFO_KIND) return static_cast<const char*>(RTA_DATA(entry));
  return {};
}

InterfaceInfo read_interface(const nlmsghdr& message) {
  const auto& link = *static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
  InterfaceInfo info;
  info.ifindex = static_cast<std::uint32_t>(link.ifi_index);
  info.up = (link.ifi_flags & IFF_UP) != 0;
  info.loopback = (link.ifi_flags & IFF_LOOPBACK) != 0;
  info.link_type = link_type(link.ifi_type);
  for_each_attribute(message, sizeof(ifinfomsg), [&](const rtattr& attribute) {
    switch (attribute.rta_type & NLA_TYPE_MASK) {
      case IFLA_IFNAME: info.name = static_cast<const char*>(RTA_DATA(&attribute)); break;
      case IFLA_STATS64: info.counters = read_counters(attribute); break;
      case IFLA_XDP: info.xdp_program = read_xdp_program(attribute); break;
      case IFLA_MASTER: info.master = attribute_value<std::uint32_t>(attribute); break;
      case IFLA_LINKINFO: info.kind = read_kind(attribute); break;
    }
  });
  return info;
}

struct DefaultRoute {
  std::uint32_t ifindex = 0;
  std::uint32_t metric = std::numeric_limits<std::uint32_t>::max();
};

void consider_route(const nlmsghdr& message, DefaultRoute& best) {
  const auto& route = *static_cast<const rtmsg*>(NLMSG_DATA(&message));
  if (route.rtm_dst_len != 0 || route.rtm_type != RTN_UNICAST || route.rtm_table != RT_TABLE_MAIN) return;
  DefaultRoute found{0, 0};
  for_each_attribute(message, sizeof(rtmsg), [&](const rtattr& attribute) {
    if (attribute.rta_type == RTA_OIF) found.ifindex = attribute_value<std::uint32_t>(attribute);
    if (attribute.rta_type == RTA_PRIORITY) found.metric = attribute_value<std::uint32_t>(attribute);
  });
  if (found.ifindex != 0 && found.metric < best.metric) best = found;
}

}  // namespace

Result<std::vector<InterfaceInfo>> list_interfaces() {
  auto socket = open_rtnetlink();
  if (!socket) return std::unexpected(socket.error());
  std::vector<InterfaceInfo> interfaces;
  Request<ifinfomsg> request(RTM_GETLINK, AF_UNSPEC);
  auto dumped = dump(socket->get(), request.bytes(),
                     [&](const nlmsghdr& message) { interfaces.push_back(read_interface(message)); });
  if (!dumped) return std::unexpected(dumped.error());
  return interfaces;
}

Result<std::uint32_t> default_route_interface() {
  auto socket = open_rtnetlink();
  if (!socket) return std::unexpected(socket.error());
  for (const unsigned char family : {AF_INET, AF_INET6}) {
    DefaultRoute best;
    Request<rtmsg> request(RTM_GETROUTE, family);
    auto dumped = dump(socket->get(), request.bytes(), [&](const nlmsghdr& message) { consider_route(message, best); });
    if (dumped && best.ifindex != 0) return best.ifindex;
  }
  return 0U;
}

Result<InterfaceWatcher> InterfaceWatcher::make() {
  auto socket = open_rtnetlink(RTMGRP_LINK);
  if (!socket) return std::unexpected(socket.error());
  return InterfaceWatcher(std::move(*socket));
}

bool InterfaceWatcher::changed() {
  bool any = false;
  const auto received = receive_waiting(socket_.get(), [&](const nlmsghdr&) { any = true; });
  return any || !received;
}

}  // namespace sonde::kernel
