// SPDX-License-Identifier: Apache-2.0
#include "doctor/veth.hpp"

#include <linux/if_link.h>
#include <linux/veth.h>

#include <cstring>
#include <functional>
#include <vector>

#include "kernel/netlink.hpp"

namespace sonde::doctor {
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

}  // namespace

Result<void> create_veth(const std::string& name, const std::string& peer) {
  const auto socket = kernel::open_rtnetlink();
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
      });
    });
  });
  const auto made = kernel::request(socket->get(), message.bytes());
  if (!made) return fail_errno(made.error().code, "cannot create a veth pair");
  return {};
}

}  // namespace sonde::doctor
