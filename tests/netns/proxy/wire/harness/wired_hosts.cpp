// SPDX-License-Identifier: Apache-2.0
#include "wired_hosts.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

#include "actuators/proxy/wire/table.hpp"

namespace sonde::test {
namespace {

void number(const NetworkNamespace& where, const std::string& device, const std::string& four, const std::string& six) {
  where.run(fmt::format("ip addr add {}/24 dev {} && ip addr add {}/64 dev {} nodad", four, device, six, device));
}

std::unique_ptr<BadLink> join(const NetworkNamespace& a, const std::string& name_a, const NetworkNamespace& b,
                              const std::string& name_b, const std::optional<Badness>& badness) {
  if (badness) return std::make_unique<BadLink>(a, name_a, b, name_b, *badness);
  add_veth(a, name_a, b, name_b);
  return nullptr;
}

}  // namespace

WiredHosts::WiredHosts(std::optional<Badness> west_badness, std::optional<Badness> east_badness)
    : west(join(client, "eth0", proxy, "west", west_badness)), east(join(proxy, "east", server, "eth0", east_badness)) {
  number(client, "eth0", "10.8.1.1", "fd08:1::1");
  number(proxy, "west", proxy_ipv4, proxy_ipv6);
  number(proxy, "east", "10.8.2.2", "fd08:2::2");
  number(server, "eth0", server_ipv4, server_ipv6);
}

Json wired_config(const std::string& forwarding, bool client_ipv6, bool server_ipv6_wanted) {
  const auto listener =
      client_ipv6 ? fmt::format("[{}]:{}", proxy_ipv6, proxy_port) : fmt::format("{}:{}", proxy_ipv4, proxy_port);
  const auto upstream = server_ipv6_wanted ? fmt::format("[{}]:{}", server_ipv6, server_port)
                                           : fmt::format("{}:{}", server_ipv4, server_port);
  auto config = one_route(listener, upstream);
  config["forwarding"] = forwarding;
  return config;
}

Endpoint endpoint_at(const std::string& address, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.port = port;
  if (::inet_pton(AF_INET6, address.c_str(), endpoint.address.data()) == 1) return endpoint;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (::inet_pton(AF_INET, address.c_str(), &endpoint.address[12]) != 1)
    throw std::runtime_error("no address " + address);
  return endpoint;
}

// Not by nstat itself: it keeps what it saw in a file, and shows the difference.
std::uint64_t kernel_counter(const NetworkNamespace& where, const std::string& name) {
  const auto text = where.run("nstat -asz " + name + " 2>/dev/null");
  const auto at = text.find(name + " ");
  if (at == std::string::npos) throw std::runtime_error("no counter " + name + " in " + text);
  return std::stoull(text.substr(at + name.size()));
}

std::string wire_forwarding() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it
  const char* wanted = std::getenv("SONDE_TEST_WIRE_FORWARDING");
  return wanted == nullptr ? "wire" : wanted;
}

std::vector<sonde_wire_connection> wire_connections(const NetworkNamespace& where) {
  std::vector<sonde_wire_connection> found;
  where.call([&] {
    const auto table = proxy::Table::find();
    if (!table) throw std::runtime_error(table.error().text());
    if (*table == nullptr) return;
    for (std::uint32_t index = 0; index < (*table)->used(); ++index) {
      const auto& element = (*table)->at(index);
      if (element.phase >= SONDE_WIRE_TAKEN && element.phase <= SONDE_WIRE_ABORTED) found.push_back(element);
    }
  });
  return found;
}

std::optional<sonde_wire_connection> wire_connection(const NetworkNamespace& where, const Endpoint& client) {
  constexpr std::uint32_t ended = SONDE_WIRE_SAW_FIN | SONDE_WIRE_SAW_RESET;
  for (const auto& connection : wire_connections(where))
    if (proxy::ends_of(connection).client == client &&
        ((connection.sides[0].seen | connection.sides[1].seen) & ended) == 0)
      return connection;
  return {};
}

bool comes_to_the_wire(const NetworkNamespace& where, const Endpoint& client) {
  if (wire_forwarding() != "wire") return true;
  return eventually(
      [&] {
        const auto connection = wire_connection(where, client);
        return connection && connection->phase == SONDE_WIRE_SPLICED;
      },
      std::chrono::seconds{10});
}

std::uint64_t connections_by(const Proxied& proxy, const std::string& path) {
  const auto status = proxy.status();
  for (const auto& entry : status.at("forwarding"))
    if (entry.at("path") == path) return entry.at("connections").get<std::uint64_t>();
  throw std::runtime_error("no path " + path + " in " + status.dump());
}

}  // namespace sonde::test
