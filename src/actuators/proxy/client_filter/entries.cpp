// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/client_filter/entries.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

namespace sonde::proxy {
namespace {

constexpr std::uint8_t mapped_bits = 96;  // ::ffff:0:0/96

Endpoint endpoint_of(const GuardNetwork& network) { return {.address = network.address, .port = 0}; }

FilterEntry entry(std::uint8_t family, std::uint32_t address_bits, const Endpoint& endpoint,
                  sonde_client_filter_entry value) {
  FilterEntry made;
  made.key.prefix = SONDE_CLIENT_FILTER_HEAD_BITS + address_bits;
  made.key.port = htons(endpoint.port);
  made.key.family = family;
  std::ranges::copy(endpoint.address, made.key.address);
  made.value = value;
  return made;
}

FilterEntry listener_entry(const Endpoint& listener) {
  const std::uint8_t family = listener.is_ipv4() ? 4 : 6;
  if (!is_wildcard(listener)) return entry(family, 128, listener, SONDE_CLIENT_FILTER_LISTENER);
  return entry(family, family == 4 ? mapped_bits : 0, listener, SONDE_CLIENT_FILTER_WILDCARD);
}

void add_client(const GuardNetwork& network, std::vector<FilterEntry>& entries) {
  const bool ipv4 = network.length >= mapped_bits && endpoint_of(network).is_ipv4();
  if (ipv4 || network.any()) {
    const auto bits = std::max(network.length, mapped_bits);
    Endpoint address = endpoint_of(network);
    if (!ipv4) address.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
    entries.push_back(entry(4, bits, address, SONDE_CLIENT_FILTER_CLIENT));
  }
  if (!ipv4) entries.push_back(entry(6, network.length, endpoint_of(network), SONDE_CLIENT_FILTER_CLIENT));
}

}  // namespace

bool is_wildcard(const Endpoint& listener) {
  const auto* const first = listener.address.begin() + (listener.is_ipv4() ? 12 : 0);
  return std::all_of(first, listener.address.end(), [](std::uint8_t byte) { return byte == 0; });
}

Result<std::vector<FilterEntry>> filter_entries(std::span<const Endpoint> listeners,
                                                std::span<const GuardNetwork> clients) {
  std::vector<FilterEntry> entries;
  entries.reserve(listeners.size() + clients.size() + 2);
  for (const auto& listener : listeners) {
    if (listener.port == 0) return fail(ErrorKind::failed, "client filter: a listener without a port");
    entries.push_back(listener_entry(listener));
  }
  for (const auto& network : clients) add_client(network, entries);
  if (clients.empty()) add_client({}, entries);
  if (entries.size() > SONDE_CLIENT_FILTER_ENTRIES)
    return fail(ErrorKind::failed, fmt::format("client filter: {} clients and listeners, it holds {}", entries.size(),
                                               static_cast<int>(SONDE_CLIENT_FILTER_ENTRIES)));
  return entries;
}

}  // namespace sonde::proxy
