// SPDX-License-Identifier: Apache-2.0
#include "watch/local_addresses.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "actuators/guard/network.hpp"

namespace sonde::watch {
namespace {

constexpr std::chrono::seconds refresh_interval{5};

std::optional<Address> address_of(const sockaddr* address) {
  Address bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (address == nullptr) return {};
  if (address->sa_family == AF_INET) {
    std::memcpy(bytes.data() + 12, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    return bytes;
  }
  if (address->sa_family != AF_INET6) return {};
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
  return bytes;
}

bool is_loopback(const Address& address) {
  static constexpr Address ipv6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return address == ipv6 || (Endpoint{address, 0}.is_ipv4() && address[12] == 127);
}

}  // namespace

Result<LocalAddresses> LocalAddresses::make(const std::vector<std::string>& networks, bool interfaces) {
  LocalAddresses local;
  for (const auto& word : networks) {
    const auto network = guard::parse_network(word);
    if (!network) return fail(network.error().kind, "--local " + network.error().message, network.error().hint);
    local.networks_.push_back(*network);
  }
  local.interfaces_ = interfaces;
  if (interfaces) local.read_interfaces();
  return local;
}

void LocalAddresses::read_interfaces() {
  read_at_ = std::chrono::steady_clock::now();
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, ::freeifaddrs);
  addresses_.clear();
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next)
    if (const auto address = address_of(entry->ifa_addr)) addresses_.push_back(*address);
  std::ranges::sort(addresses_);
}

void LocalAddresses::refresh_if_old() {
  if (interfaces_ && std::chrono::steady_clock::now() - read_at_ >= refresh_interval) read_interfaces();
}

bool LocalAddresses::contains(const Address& address) const {
  if (interfaces_ && (is_loopback(address) || std::ranges::binary_search(addresses_, address))) return true;
  return std::ranges::any_of(networks_, [&](const auto& network) { return guard::contains(network, address); });
}

}  // namespace sonde::watch
