// SPDX-License-Identifier: Apache-2.0
#include "kernel/veth.hpp"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cstring>
#include <functional>
#include <vector>

#include "kernel/netlink.hpp"

namespace sonde::kernel {
namespace {

// Attributes of netlink(7), nested ones included: length and type, then the value padded to 4 bytes.
class Message {
 public:
  template <class T>
  void append(const T& value) {
    append(&value, sizeof(value));
  }
  void attribute(std::uint16_t type, const std::string& text) {
    nest(type, [&] { append(text.c_str(), text.size() + 1); });
  }
  void nest(std::uint16_t type, const std::function<void()>& content) {
    const auto start = bytes_.size();
    append(rtattr{0, type});
    content();
    const auto size = static_cast<unsigned short>(bytes_.size() - start);
    std::memcpy(bytes_.data() + start, &size, sizeof(size));  // rta_len is the first member
    bytes_.resize(RTA_ALIGN(bytes_.size()));
  }
  std::vector<std::uint8_t>& bytes() { return bytes_; }

 private:
  void append(const void* data, std::size_t size) {
    const auto* first = static_cast<const std::uint8_t*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
  }
  std::vector<std::uint8_t> bytes_;
};

ifreq request_for(const std::string& interface) {
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  return request;
}

}  // namespace

Result<void> create_veth(const std::string& name, const std::string& peer, int peer_namespace) {
  const auto socket = open_rtnetlink();
  if (!socket) return std::unexpected(socket.error());
  Message message;
  nlmsghdr header{};
  header.nlmsg_type = RTM_NEWLINK;
  header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
  message.append(header);
  message.append(ifinfomsg{});
  message.attribute(IFLA_IFNAME, name);
  message.nest(IFLA_LINKINFO, [&] {
    message.attribute(IFLA_INFO_KIND, "veth");
    message.nest(IFLA_INFO_DATA, [&] {
      message.nest(VETH_INFO_PEER, [&] {
        message.append(ifinfomsg{});
        message.attribute(IFLA_IFNAME, peer);
        if (peer_namespace >= 0) message.nest(IFLA_NET_NS_FD, [&] { message.append(peer_namespace); });
      });
    });
  });
  const auto made = request(socket->get(), message.bytes());
  if (!made) return fail_errno(made.error().code, "cannot create a veth pair");
  return {};
}

Result<void> set_up(int socket, const std::string& interface) {
  auto request = request_for(interface);
  request.ifr_flags = IFF_UP;
  if (::ioctl(socket, SIOCSIFFLAGS, &request) == 0) return {};
  return fail_errno("cannot set up " + interface + " in the private network namespace");
}

Result<void> set_address(int socket, const std::string& interface, std::uint32_t ipv4) {
  auto request = request_for(interface);
  auto& place = reinterpret_cast<sockaddr_in&>(request.ifr_addr);
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(ipv4);
  if (::ioctl(socket, SIOCSIFADDR, &request) == 0) return {};
  return fail_errno("cannot set an address in the private network namespace");
}

bool is_running(int socket, const std::string& interface) {
  auto request = request_for(interface);
  return ::ioctl(socket, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

}  // namespace sonde::kernel
