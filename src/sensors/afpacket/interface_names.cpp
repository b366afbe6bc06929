// SPDX-License-Identifier: Apache-2.0
#include "sensors/afpacket/interface_names.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/fd.hpp"
#include "sensors/afpacket/frame.hpp"

namespace sonde::afpacket {
namespace {

// Newer than the C library's list.
constexpr std::uint16_t arphrd_raw_ip = 519;
constexpr std::uint16_t arphrd_gre6 = 823;
constexpr std::uint16_t arphrd_none = 0xfffe;

constexpr std::array<std::uint16_t, 11> known_types = {
    ARPHRD_ETHER, ARPHRD_LOOPBACK, ARPHRD_PPP,  ARPHRD_SLIP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6,
    ARPHRD_SIT,   ARPHRD_IPGRE,    arphrd_gre6, arphrd_none, arphrd_raw_ip,
};

std::string list_interfaces() {
  std::unique_ptr<struct if_nameindex, decltype(&if_freenameindex)> names(::if_nameindex(), &if_freenameindex);
  std::string list;
  for (auto* entry = names.get(); entry != nullptr && entry->if_index != 0; ++entry) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", entry->if_name);
  }
  return list;
}

Result<std::uint16_t> hardware_type(const std::string& name) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) return fail_errno("cannot read the type of " + name);
  return request.ifr_hwaddr.sa_family;
}

}  // namespace

Result<NamedInterface> find_interface(const std::string& name) {
  const unsigned index = name.size() < IFNAMSIZ ? ::if_nametoindex(name.c_str()) : 0;
  if (index == 0) {
    return fail(ErrorKind::usage, fmt::format("unknown interface '{}', there are: {}, any", name, list_interfaces()));
  }
  const auto type = hardware_type(name);
  if (!type) return std::unexpected(type.error());
  if (std::ranges::find(known_types, *type) == known_types.end()) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: frames of hardware type {} are neither Ethernet nor bare IP", name, *type));
  }
  return NamedInterface{static_cast<int>(index), link_type(*type)};
}

// An interface that is gone already has no name any more.
void SeenInterfaces::add(std::uint32_t ifindex, LinkType link) {
  if (table_.contains(ifindex)) return;
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(ifindex);
  const bool named = ::ioctl(socket_, SIOCGIFNAME, &request) == 0;
  table_.emplace(ifindex, Interface{named ? std::string(request.ifr_name) : fmt::format("if{}", ifindex), link});
}

}  // namespace sonde::afpacket
