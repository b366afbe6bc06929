// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/config/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "actuators/proxy/config/server_name.hpp"

namespace sonde::proxy {
namespace {

using Address = std::array<std::uint8_t, 16>;

constexpr Address mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr unsigned mapped_length = 96;

std::optional<std::uint16_t> read_port(std::string_view word) {
  std::uint16_t port = 0;
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), port);
  if (error != std::errc{} || rest != word.data() + word.size() || port == 0) return {};
  return port;
}

std::optional<Address> read_address(std::string_view word) {
  if (word.find('/') != std::string_view::npos) return {};
  const auto network = parse_guard_network(word);
  if (!network || network->length != 128) return {};
  return network->address;
}

struct HostAndPort {
  std::string_view host;  ///< without brackets
  bool brackets = false;
  std::uint16_t port = 0;
};

std::optional<HostAndPort> split(std::string_view word) {
  const auto colon = word.rfind(':');
  if (colon == std::string_view::npos) return {};
  const auto port = read_port(word.substr(colon + 1));
  if (!port) return {};
  auto host = word.substr(0, colon);
  if (!host.starts_with('[')) return HostAndPort{host, false, *port};
  if (!host.ends_with(']')) return {};
  return HostAndPort{host.substr(1, host.size() - 2), true, *port};
}

// Addresses of IPv6 are in brackets, those of IPv4 are not.
std::optional<Endpoint> endpoint_of(const HostAndPort& from) {
  const auto address = read_address(from.host);
  if (!address || from.brackets != (from.host.find(':') != std::string_view::npos)) return {};
  return Endpoint{*address, from.port};
}

bool bit(const Address& address, unsigned index) { return (address[index / 8] >> (7 - index % 8) & 1) != 0; }
void flip(Address& address, unsigned index) { address[index / 8] ^= static_cast<std::uint8_t>(0x80 >> index % 8); }

// An IPv6 network shorter than /96 whose bits are those of ::ffff:0:0/96; nothing: another.
std::optional<unsigned> length_around_ipv4(std::string_view word) {
  const auto slash = word.find('/');
  if (slash == std::string_view::npos || word.find(':') == std::string_view::npos) return {};
  char text[INET6_ADDRSTRLEN] = {};
  if (slash >= sizeof(text)) return {};
  std::memcpy(text, word.data(), slash);
  Address address{};
  if (::inet_pton(AF_INET6, text, address.data()) != 1) return {};
  unsigned length = 0;
  const auto [rest, error] = std::from_chars(word.data() + slash + 1, word.data() + word.size(), length);
  if (error != std::errc{} || rest != word.data() + word.size() || length >= mapped_length) return {};
  for (unsigned i = 0; i < 128; ++i)
    if (bit(address, i) != (i < length && bit(mapped, i))) return {};
  return length;
}

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view word) {
  const auto parts = split(word);
  return parts ? endpoint_of(*parts) : std::nullopt;
}

std::optional<Endpoint> parse_address(std::string_view word) {
  if (auto endpoint = parse_endpoint(word)) return endpoint;
  if (word.starts_with('[') && word.ends_with(']') && word.find(':') != std::string_view::npos)
    word = word.substr(1, word.size() - 2);
  if (const auto address = read_address(word)) return Endpoint{*address, 0};
  return {};
}

std::optional<ProxyUpstream> parse_upstream(std::string_view word) {
  const auto parts = split(word);
  if (!parts) return {};
  if (const auto endpoint = endpoint_of(*parts)) return ProxyUpstream{endpoint->address_text(), endpoint->port};
  auto name = parts->brackets ? std::string() : fold_server_name(parts->host);
  if (name.empty()) return {};
  return ProxyUpstream{std::move(name), parts->port};
}

Result<std::vector<GuardNetwork>> parse_client_network(std::string_view word) {
  const auto around = length_around_ipv4(word);
  if (!around) {
    auto network = parse_guard_network(word);
    if (!network) return std::unexpected(network.error());
    return std::vector{*network};
  }
  // Each differs from the mapped addresses in one bit, the last of its prefix.
  std::vector<GuardNetwork> networks;
  for (unsigned i = *around; i < mapped_length; ++i) {
    GuardNetwork network{};
    for (unsigned j = 0; j < i; ++j)
      if (bit(mapped, j)) flip(network.address, j);
    if (!bit(mapped, i)) flip(network.address, i);
    network.length = static_cast<std::uint8_t>(i + 1);
    networks.push_back(network);
  }
  return networks;
}

}  // namespace sonde::proxy
