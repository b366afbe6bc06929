// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/client_filter/hooks.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <set>

#include "actuators/proxy/client_filter/entries.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

using Attach = Result<kernel::Link> (*)(int program_fd, std::uint32_t ifindex);

struct Rung {
  bool xdp;
  Attach attach;
};

// In the order in which they are tried.
constexpr std::array ladder{
    Rung{true, [](int program,
                  std::uint32_t ifindex) { return kernel::attach_xdp(program, ifindex, kernel::XdpMode::native); }},
    Rung{true, [](int program,
                  std::uint32_t ifindex) { return kernel::attach_xdp(program, ifindex, kernel::XdpMode::generic); }},
    Rung{false,
         [](int program, std::uint32_t ifindex) {
           return kernel::attach_tcx(program, ifindex, kernel::TcDirection::ingress, kernel::TcPosition::first);
         }},
    Rung{false,
         [](int program, std::uint32_t ifindex) {
           return kernel::attach_clsact(program, ifindex, kernel::TcDirection::ingress);
         }},
};

struct FreeAddresses {
  void operator()(ifaddrs* addresses) const { ::freeifaddrs(addresses); }
};

// Names of interfaces that have one of the listeners' addresses.
Result<std::set<std::string>> names_with(std::span<const Endpoint> listeners) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return fail_errno("cannot list addresses");
  const std::unique_ptr<ifaddrs, FreeAddresses> addresses(first);
  std::set<std::string> names;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    const int family = each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    SocketAddress own;
    std::memcpy(own.get(), each->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    const auto address = own.endpoint().address;
    if (std::ranges::any_of(listeners, [&](const Endpoint& listener) { return listener.address == address; }))
      names.insert(each->ifa_name);
  }
  return names;
}

Result<std::vector<kernel::InterfaceInfo>> named(const std::vector<std::string>& names,
                                                 const std::vector<kernel::InterfaceInfo>& all) {
  std::vector<kernel::InterfaceInfo> found;
  for (const auto& name : names) {
    const auto interface = std::ranges::find(all, name, &kernel::InterfaceInfo::name);
    if (interface == all.end()) return fail(ErrorKind::failed, "client filter: no interface '" + name + "'");
    found.push_back(*interface);
  }
  return found;
}

bool has_frames(const kernel::InterfaceInfo& interface) {
  return interface.link_type == LinkType::ethernet || interface.link_type == LinkType::raw_ip;
}

}  // namespace

Result<std::vector<kernel::InterfaceInfo>> filter_interfaces(const std::vector<std::string>& names,
                                                             std::span<const Endpoint> listeners) {
  auto all = kernel::list_interfaces();
  if (!all) return std::unexpected(all.error());
  if (!names.empty()) return named(names, *all);
  const bool every = std::ranges::any_of(listeners, is_wildcard);
  const auto with_address = names_with(listeners);
  if (!with_address) return std::unexpected(with_address.error());
  std::erase_if(*all, [&](const kernel::InterfaceInfo& interface) {
    const bool wanted = (every && interface.up) || with_address->contains(interface.name);
    return interface.loopback || !wanted || !has_frames(interface);
  });
  if (all->empty())
    return fail(ErrorKind::failed, "client filter: no interface but loopback has an address of a listener");
  return all;
}

Result<kernel::Link> attach_filter(const kernel::Object& programs, const kernel::InterfaceInfo& interface) {
  const bool raw = interface.link_type == LinkType::raw_ip;
  std::string failures;
  Error last;
  for (const auto& rung : ladder) {
    if (rung.xdp && raw) continue;  // XDP sees no packets there
    const auto* const program = rung.xdp ? "xdp_ip_filter" : (raw ? "tc_ip_filter_raw" : "tc_ip_filter");
    const auto fd = programs.program_fd(program);
    if (!fd) return std::unexpected(fd.error());
    auto link = rung.attach(*fd, interface.ifindex);
    if (link) return link;
    last = link.error();
    failures += (failures.empty() ? "" : "; ") + last.text();
  }
  return fail(last.kind, interface.name + ": " + failures, last.hint, last.code);
}

}  // namespace sonde::proxy
