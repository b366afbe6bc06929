// SPDX-License-Identifier: Apache-2.0
#include "doctor/xdp_features.hpp"

#include <linux/genetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/fd.hpp"
#include "kernel/netlink.hpp"

namespace sonde::doctor {
namespace {

// include/uapi/linux/netdev.h; Debian 12's headers are older.
constexpr std::uint8_t command_dev_get = 1;
constexpr int attribute_ifindex = 1;
constexpr int attribute_xdp_features = 3;

struct Request {
  nlmsghdr header{};
  genlmsghdr generic{};
};

template <class T>
T value_of(const rtattr& attribute) {
  T value{};
  std::memcpy(&value, RTA_DATA(&attribute), std::min<std::size_t>(sizeof(value), RTA_PAYLOAD(&attribute)));
  return value;
}

Result<void> ask(int socket, std::uint16_t family, std::uint8_t command,
                 const std::function<void(const nlmsghdr&)>& message) {
  Request request;
  request.header.nlmsg_type = family;
  request.generic.cmd = command;
  request.generic.version = 1;
  return kernel::dump(socket, {reinterpret_cast<std::uint8_t*>(&request), sizeof(request)}, message);
}

Result<std::uint16_t> find_family(int socket, std::string_view wanted) {
  std::uint16_t found = 0;
  auto asked = ask(socket, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, [&](const nlmsghdr& answer) {
    std::uint16_t id = 0;
    bool same = false;
    kernel::for_each_attribute(answer, sizeof(genlmsghdr), [&](const rtattr& attribute) {
      if (attribute.rta_type == CTRL_ATTR_FAMILY_ID) id = value_of<std::uint16_t>(attribute);
      if (attribute.rta_type == CTRL_ATTR_FAMILY_NAME) same = wanted == static_cast<const char*>(RTA_DATA(&attribute));
    });
    if (same) found = id;
  });
  if (!asked) return std::unexpected(asked.error());
  if (found == 0) return fail_errno(ENOENT, "the kernel has no generic netlink family netdev");
  return found;
}

}  // namespace

Result<std::map<std::uint32_t, std::uint64_t>> list_xdp_features() {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
  if (!socket) return fail_errno("cannot open a generic netlink socket");
  const auto family = find_family(socket.get(), "netdev");
  if (!family) return std::unexpected(family.error());
  std::map<std::uint32_t, std::uint64_t> features;
  auto asked = ask(socket.get(), *family, command_dev_get, [&](const nlmsghdr& answer) {
    std::uint32_t ifindex = 0;
    std::uint64_t bits = 0;
    kernel::for_each_attribute(answer, sizeof(genlmsghdr), [&](const rtattr& attribute) {
      if (attribute.rta_type == attribute_ifindex) ifindex = value_of<std::uint32_t>(attribute);
      if (attribute.rta_type == attribute_xdp_features) bits = value_of<std::uint64_t>(attribute);
    });
    features[ifindex] = bits;
  });
  if (!asked) return std::unexpected(asked.error());
  return features;
}

}  // namespace sonde::doctor
