// SPDX-License-Identifier: Apache-2.0
// Clients and peers whose many destinations, ports and failures resemble scans.
#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include "benign.hpp"
#include "scenes.hpp"

namespace sonde::corpus {

namespace {

struct Browsing {
  double seconds;
  double failures;  ///< share of connections
  std::size_t servers;
};

/// Pages every few seconds, each with connections to several servers.
void browse(Traffic& traffic, const Address& client, const Browsing& how) {
  auto& random = traffic.random;
  std::vector<Address> servers;
  for (std::size_t i = 0; i < how.servers; ++i) servers.push_back(public_address(random));
  for (double second = random.exponential(3); second < how.seconds; second += random.exponential(12)) {
    const auto connections = random.between(3, 25);
    for (std::uint32_t i = 0; i < connections; ++i) {
      const double when = second + random.exponential(0.4);
      // Some servers are much more popular than others.
      const auto index =
          static_cast<std::size_t>(random.fraction() * random.fraction() * static_cast<double>(servers.size()));
      const Endpoint server{servers[index], static_cast<std::uint16_t>(random.chance(0.95) ? 443 : 80)};
      const Endpoint from{client, traffic.ephemeral()};
      if (random.chance(how.failures)) {
        if (random.chance(0.5))
          traffic.unanswered(when, from, server, 2);
        else
          traffic.refused(when, from, server);
      } else if (random.chance(0.2)) {
        traffic.exchange(when, from, server, 1250, 1250);  // QUIC
      } else {
        traffic.connection(when, from, server,
                           {.rtt = random.between_real(0.005, 0.2),
                            .up = random.between(300, 3000),
                            .down = random.between(500, 200'000),
                            .lasts = random.exponential(4),
                            .half_close = random.chance(0.2)});
      }
    }
  }
}

}  // namespace

void web(Traffic& traffic) {
  traffic.locals = {host};
  traffic.owner = program("/usr/lib/firefox/firefox", 701);
  browse(traffic, host, {.seconds = 400, .failures = traffic.random.between_real(0, 0.08), .servers = 150});
}

void crawler(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const double failures = random.between_real(0.05, 0.35);
  traffic.owner = program("/usr/bin/crawler", 702);
  for (double second = 0; second < 200; second += random.exponential(0.08)) {
    const Endpoint server{public_address(random), static_cast<std::uint16_t>(random.chance(0.8) ? 443 : 80)};
    const Endpoint from{host, traffic.ephemeral()};
    if (!random.chance(failures))
      traffic.connection(second, from, server, {.rtt = random.between_real(0.01, 0.3)});
    else if (random.chance(0.6))
      traffic.unanswered(second, from, server, 4);
    else
      traffic.refused(second, from, server, 0.1);
  }
}

void peer_to_peer(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const double tcp_failures = random.between_real(0.4, 0.85), udp_failures = random.between_real(0.3, 0.7);
  const std::uint16_t listening = 51413;
  traffic.owner = program("/usr/bin/transmission-gtk", 700);
  const auto peer_port = [&] {
    const auto kind = random.fraction();
    if (kind < 0.18) return std::uint16_t{6881};
    if (kind < 0.26) return std::uint16_t{51413};
    return static_cast<std::uint16_t>(random.between(1024, 65535));
  };
  for (double second = 0; second < 400; second += random.exponential(0.5)) {
    const Endpoint peer{public_address(random), peer_port()};
    const Endpoint from{host, traffic.ephemeral()};
    if (random.chance(0.15)) {
      traffic.connection(second, {peer.address, static_cast<std::uint16_t>(random.between(1024, 65535))},
                         {host, listening}, {.rtt = 0.1, .up = 20'000, .down = 2'000, .lasts = 20});
    } else if (!random.chance(tcp_failures)) {
      traffic.connection(second, from, peer, {.rtt = 0.1, .up = 2'000, .down = 400'000, .lasts = 20});
    } else if (random.chance(0.7)) {
      traffic.unanswered(second, from, peer, 3);
    } else {
      traffic.refused(second, from, peer, 0.1);
    }
  }
  for (double second = 0; second < 400; second += random.exponential(0.12)) {
    const Endpoint peer{public_address(random), peer_port()};
    const Endpoint from{host, listening};
    if (random.chance(0.3))
      traffic.exchange(second, peer, from, 140, 300, 0.001);
    else if (!random.chance(udp_failures))
      traffic.exchange(second, from, peer, 140, 350, 0.1);
    else
      traffic.datagram(second, from, peer, 140);
  }
}

void nat_gateway(Traffic& traffic) {
  auto& random = traffic.random;
  const auto address = ipv4(198, 51, 100, 7);
  const auto clients = random.between(20, 80);
  for (std::uint32_t i = 0; i < clients; ++i)
    browse(traffic, address, {.seconds = 100, .failures = random.between_real(0, 0.1), .servers = 60});
  if (random.chance(0.5)) {
    for (double second = 0; second < 100; second += random.exponential(0.5))  // one of them shares files
      traffic.unanswered(second, {address, traffic.ephemeral()},
                         {public_address(random), static_cast<std::uint16_t>(random.between(1024, 65535))}, 2);
  }
}

void mail_server(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (double second = 0; second < 300; second += random.exponential(0.7)) {
    const Endpoint server{public_address(random), 25};
    if (random.chance(0.4))
      traffic.unanswered(second, {host, traffic.ephemeral()}, server, 3);
    else
      traffic.connection(second, {host, traffic.ephemeral()}, server,
                         {.rtt = 0.1, .up = 20'000, .down = 600, .lasts = 3});
    if (random.chance(0.3))
      traffic.connection(second, {public_address(random), 40'000}, {host, 25}, {.up = 20'000, .down = 600, .lasts = 2});
  }
}

void traceroutes(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (int run = 0; run < 6; ++run) {
    const auto target = public_address(random);
    const auto hops = random.between(5, 18);
    const bool tcp = random.chance(0.3);
    for (std::uint32_t probe = 0; probe < 90; ++probe) {
      const auto ttl = probe / 3 + 1;
      const double second = run * 20 + probe * 0.1;
      const Endpoint from{host, traffic.ephemeral()};
      const Endpoint to{target, static_cast<std::uint16_t>(tcp ? 443 : 33434 + probe)};
      auto& packet = traffic.add(second, tcp ? IPPROTO_TCP : IPPROTO_UDP, from, to, 74, tcp ? SYN : 0);
      packet.hop_limit = static_cast<std::uint8_t>(ttl);
      if (random.chance(0.8))
        traffic.unreachable(
            second + 0.01 * ttl, tcp ? IPPROTO_TCP : IPPROTO_UDP, from, to,
            ttl >= hops ? target : ipv4(100, 100, static_cast<std::uint8_t>(run), static_cast<std::uint8_t>(ttl)));
      if (ttl > hops) break;
    }
  }
}

void discovery(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto devices = random.between(20, 120);
  for (double second = 0; second < 300; second += 20) {
    const std::uint16_t port = traffic.ephemeral();
    traffic.datagram(second, {host, port}, {ipv4(239, 255, 255, 250), 1900}, 170, 3);
    traffic.datagram(second, {host, 5353}, {ipv4(224, 0, 0, 251), 5353}, 90, 2);
    traffic.datagram(second, {host, 137}, {ipv4(10, 0, 0, 255), 137}, 92, 2);
    for (std::uint32_t i = 0; i < devices; ++i) {
      const auto device = ipv4(10, 0, 1, static_cast<std::uint8_t>(i + 1));
      traffic.datagram(second + random.fraction() * 3, {device, 1900}, {host, port}, 330, random.between(1, 6));
      traffic.datagram(second + random.fraction(), {device, 5353}, {ipv4(224, 0, 0, 251), 5353}, 300);
    }
  }
}

void port_reuse(Traffic& traffic) {
  auto& random = traffic.random;
  const auto client = ipv4(10, 0, 2, 9);
  traffic.locals = {host};
  const auto ports = random.between(20, 200);
  for (double second = 0; second < 240; second += 0.1) {
    const Endpoint from{client, static_cast<std::uint16_t>(50'000 + random.between(0, ports))};
    const Endpoint to{host, 8080};
    traffic.connection(second, from, to, {.rtt = 0.002, .lasts = 0.05, .half_close = random.chance(0.3)});
    // What is left of the connection before.
    if (random.chance(0.2)) traffic.add(second + 3, IPPROTO_TCP, to, from, 66, FIN | ACK);
    if (random.chance(0.2)) traffic.add(second + 3.01, IPPROTO_TCP, from, to, 60, RST);
    if (random.chance(0.2)) traffic.add(second + 5, IPPROTO_TCP, from, to, 66, ACK);
  }
}

void from_the_middle(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto connections = random.between(100, 600);
  const bool we_serve = random.chance(0.5);
  const std::uint16_t service = random.chance(0.6) ? 443 : 8443;
  for (std::uint32_t i = 0; i < connections; ++i) {
    const Endpoint client{we_serve ? ipv4(198, 51, 100, static_cast<std::uint8_t>(i % 5 + 1)) : host,
                          traffic.ephemeral()};
    const Endpoint server{we_serve ? host : public_address(random), service};
    const double second = random.between_real(0, 100);
    const bool answered = random.chance(0.7);
    const auto kind = random.between(0, 3);
    const auto& from = random.chance(0.5) ? client : server;
    const auto& to = from == client ? server : client;
    if (kind == 0) {
      traffic.add(second, IPPROTO_TCP, from, to, 66, ACK);  // keepalive
      if (answered) traffic.add(second + 0.02, IPPROTO_TCP, to, from, 66, ACK);
    } else if (kind == 1) {
      traffic.add(second, IPPROTO_TCP, from, to, 66, FIN | ACK);
      if (answered) traffic.add(second + 0.02, IPPROTO_TCP, to, from, 60, random.chance(0.5) ? RST : FIN | ACK);
    } else if (kind == 2) {
      traffic.add(second, IPPROTO_TCP, from, to, 500, PSH | ACK, 3);
      if (answered) traffic.add(second + 0.02, IPPROTO_TCP, to, from, 66, ACK, 2);
    } else {
      traffic.add(second, IPPROTO_TCP, from, to, 60, RST | ACK);
    }
  }
}

void calls(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto media = ipv4(203, 0, 113, 20);
  for (double second = 0; second < 200; second += random.exponential(1.5)) {
    const Endpoint from{host, static_cast<std::uint16_t>(16384 + 2 * random.between(0, 4000))};
    const Endpoint to{media, static_cast<std::uint16_t>(10'000 + 2 * random.between(0, 5000))};
    for (int i = 0; i < 40; ++i) {
      traffic.datagram(second + i * 0.5, from, to, 214, 25);
      traffic.datagram(second + i * 0.5 + 0.01, to, from, 214, 25);
    }
    // Candidates of ICE that lead nowhere.
    for (int i = 0; i < 4; ++i)
      traffic.datagram(second, from,
                       {ipv4(192, 168, static_cast<std::uint8_t>(i), 20),
                        static_cast<std::uint16_t>(random.between(40'000, 60'000))},
                       100, 4);
  }
}

}  // namespace sonde::corpus
