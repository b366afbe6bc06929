// SPDX-License-Identifier: Apache-2.0
#include "export/interfaces.hpp"

namespace sonde::exporter {

std::string interface_name(const InterfaceTable& interfaces, std::uint32_t ifindex) {
  const auto found = interfaces.find(ifindex);
  if (found != interfaces.end()) return found->second.name;
  return "if" + std::to_string(ifindex);
}

LinkType link_type_of(const sonde_packet_event& event, const InterfaceTable& interfaces) {
  const auto found = interfaces.find(event.header.ifindex);
  if (found != interfaces.end()) return found->second.link_type;
  return event.flags & SONDE_PACKET_NO_LINK_HEADER ? LinkType::raw_ip : LinkType::ethernet;
}

}  // namespace sonde::exporter
