// SPDX-License-Identifier: Apache-2.0
// Hours on one host, with its programs: what resembles beacons, idle connections and new destinations.
#include <netinet/in.h>

#include <vector>

#include "benign.hpp"
#include "scenes.hpp"

namespace sonde::corpus {

namespace {

constexpr double hours = 3600;

/// Open for long, with keepalives of TCP (or of the protocol) and nothing else.
void idle_connection(Traffic& traffic, const Endpoint& client, const Endpoint& server, double begins, double ends,
                     double keepalive) {
  traffic.add(begins, IPPROTO_TCP, client, server, 74, SYN);
  traffic.add(begins + 0.01, IPPROTO_TCP, server, client, 74, SYN | ACK);
  traffic.add(begins + 0.02, IPPROTO_TCP, client, server, 66, ACK);
  traffic.add(begins + 0.03, IPPROTO_TCP, client, server, 400, PSH | ACK, 4);
  traffic.add(begins + 0.04, IPPROTO_TCP, server, client, 900, PSH | ACK, 4);
  for (double second = begins + keepalive; second < ends; second += keepalive) {
    traffic.add(second, IPPROTO_TCP, client, server, 66, ACK);
    traffic.add(second + 0.01, IPPROTO_TCP, server, client, 66, ACK);
  }
}

void periodic(Traffic& traffic, const char* executable, std::uint32_t pid, const Endpoint& server, double every,
              double until, bool udp) {
  traffic.owner = program(executable, pid);
  for (double second = traffic.random.fraction() * every; second < until; second += every) {
    const Endpoint client{host, traffic.ephemeral()};
    if (udp)
      traffic.exchange(second, client, server, 90, 90);
    else
      traffic.connection(second, client, server, {.rtt = 0.002});
  }
  traffic.owner = nullptr;
}

}  // namespace

void office(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const double until = 2.2 * hours;
  const char* countries[] = {"DE", "US", "NL", "FR", "IE", "GB", "SE", "JP"};
  traffic.owner = program("/usr/lib/firefox/firefox", 2000);
  std::vector<Address> sites;
  for (int i = 0; i < 200; ++i) {
    sites.push_back(public_address(random));
    traffic.countries[sites.back()] = countries[random.between(0, 7)];
  }
  for (double second = 0; second < until; second += random.exponential(4)) {
    const auto& site = sites[random.between(0, 199)];
    const bool new_port = second > 1.5 * hours && random.chance(0.02);
    traffic.connection(second, {host, traffic.ephemeral()}, {site, static_cast<std::uint16_t>(new_port ? 8443 : 443)},
                       {.lasts = random.exponential(2)});
  }
  traffic.owner = program("/usr/bin/ssh", 2001);
  idle_connection(traffic, {host, traffic.ephemeral()}, {public_address(random), 22}, 60, until, 60);
  traffic.owner = program("/usr/bin/thunderbird", 2002);
  idle_connection(traffic, {host, traffic.ephemeral()}, {public_address(random), 993}, 100, until, 120);
  traffic.owner = nullptr;
  periodic(traffic, "/usr/sbin/chronyd", 2003, {public_address(random), 123}, 64, until, true);
  periodic(traffic, "/usr/bin/node_agent", 2004, {ipv4(10, 0, 8, 8), 8086}, 10, until, false);
  periodic(traffic, "/usr/lib/systemd/systemd-resolved", 2005, {public_address(random), 53}, 30, until, true);
}

void servers_day(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const double until = 2 * hours;
  // A pool of connections to a database, mostly idle.
  traffic.owner = program("/usr/bin/java", 3000);
  for (int i = 0; i < 20; ++i)
    idle_connection(traffic, {host, traffic.ephemeral()}, {ipv4(10, 0, 8, 2), 5432}, 10 + i, until, 45);
  // Calls to two partners, when there is something to say.
  const Endpoint partners[] = {{public_address(random), 443}, {public_address(random), 443}};
  for (const auto& partner : partners) traffic.countries[partner.address] = "DE";
  for (double second = 5; second < until; second += random.exponential(15))
    traffic.connection(second, {host, traffic.ephemeral()}, partners[random.between(0, 1)]);
  traffic.owner = nullptr;
  // Clients that come and go, some at every full minute.
  for (std::uint32_t i = 0; i < 20; ++i)
    for (double second = i; second < until; second += 60)
      traffic.connection(second + random.fraction() * 0.1,
                         {ipv4(198, 51, 100, static_cast<std::uint8_t>(i + 1)), traffic.ephemeral()}, {host, 443});
  periodic(traffic, "/usr/bin/prometheus", 3001, {ipv4(10, 0, 8, 3), 9100}, 15, until, false);
  periodic(traffic, "/usr/sbin/chronyd", 3002, {public_address(random), 123}, 256, until, true);
}

}  // namespace sonde::corpus
