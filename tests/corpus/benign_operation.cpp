// SPDX-License-Identifier: Apache-2.0
// Servers and what watches over them.
#include <netinet/in.h>

#include <vector>

#include "benign.hpp"
#include "scenes.hpp"

namespace sonde::corpus {

void health_checks(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  traffic.owner = program("/usr/sbin/haproxy", 900);
  const auto backends = random.between(1, 60);
  const auto dead = random.chance(0.5) ? backends : random.between(1, backends);
  const bool silent = random.chance(0.4);
  for (std::uint32_t i = 0; i < backends; ++i) {
    const Endpoint backend{ipv4(10, 0, 3, static_cast<std::uint8_t>(i + 1)), 8080};
    const double offset = random.fraction();
    for (int n = 0; n < 200; ++n) {
      const double second = n + offset;
      const Endpoint from{host, traffic.ephemeral()};
      if (i >= dead)
        traffic.connection(second, from, backend, {.rtt = 0.001, .up = 0, .down = 0, .lasts = 0});
      else if (silent)
        traffic.unanswered(second, from, backend, 1);
      else
        traffic.refused(second, from, backend, 0.001);
    }
  }
}

void monitoring(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  traffic.owner = program("/usr/sbin/zabbix_server", 901);
  const std::uint32_t hosts = 500;
  const double down = random.between_real(0, 0.1);
  std::vector<bool> is_down;
  for (std::uint32_t i = 0; i < hosts; ++i) is_down.push_back(random.chance(down));
  if (random.chance(0.5))  // a rack
    for (std::uint32_t i = 100; i < 122; ++i) is_down[i] = true;
  for (int cycle = 0; cycle < 5; ++cycle) {
    for (std::uint32_t i = 0; i < hosts; ++i) {
      const double second = cycle * 60 + i * 0.11;
      const auto target = ipv4(10, 1, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250 + 1));
      const Endpoint from{host, traffic.ephemeral()};
      auto& echo = traffic.add(second, IPPROTO_ICMP, {host, 0}, {target, 0}, 98);
      static_cast<void>(echo);
      if (!is_down[i]) traffic.add(second + 0.001, IPPROTO_ICMP, {target, 0}, {host, 0}, 98).echo_reply = true;
      for (const std::uint16_t port : {std::uint16_t{22}, std::uint16_t{10050}}) {
        if (is_down[i])
          traffic.unanswered(second, {host, traffic.ephemeral()}, {target, port}, 2);
        else
          traffic.connection(second, {host, traffic.ephemeral()}, {target, port}, {.rtt = 0.001, .lasts = 0.1});
      }
      if (is_down[i])
        traffic.datagram(second, from, {target, 161}, 90, 2);
      else
        traffic.exchange(second, from, {target, 161});
    }
  }
}

void outage(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  traffic.owner = program("/usr/bin/prometheus", 903);
  const std::uint32_t hosts = random.between(50, 300);
  const int fails_at = static_cast<int>(random.between(2, 4));
  for (int cycle = 0; cycle < 6; ++cycle)
    for (std::uint32_t i = 0; i < hosts; ++i) {
      const double second = cycle * 30 + i * 0.09;
      const Endpoint target{ipv4(10, 1, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250 + 1)),
                            9100};
      const Endpoint from{host, traffic.ephemeral()};
      if (cycle < fails_at)
        traffic.connection(second, from, target, {.rtt = 0.001, .lasts = 0.1});
      else
        traffic.unanswered(second, from, target, 3);
    }
}

void lost_backend(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  traffic.owner = program("/usr/sbin/haproxy", 900);
  const Endpoint backend{ipv4(10, 0, 3, 1), 8080};
  const double rate = random.between_real(50, 1500);
  const bool silent = random.chance(0.5);
  const double lost_at = random.between_real(0, 10);
  for (double second = 0; second < 40; second += random.exponential(1 / rate)) {
    const Endpoint from{host, traffic.ephemeral()};
    if (second < lost_at)
      traffic.connection(second, from, backend, {.rtt = 0.001, .lasts = 0.01});
    else if (silent)
      traffic.unanswered(second, from, backend, 2);
    else
      traffic.refused(second, from, backend, 0.001);
  }
}

void recursive_resolver(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const double silent = random.between_real(0.02, 0.2);
  for (double second = 0; second < 120; second += random.exponential(0.02)) {
    const Endpoint client{
        ipv4(10, 0, static_cast<std::uint8_t>(random.between(4, 9)), static_cast<std::uint8_t>(random.between(1, 250))),
        static_cast<std::uint16_t>(random.between(1024, 65535))};
    const auto name = "www." + random_name(random, random.between(4, 14), "abcdefghijklmnopqrstuvwxyz") + ".com";
    traffic.query(second, client, {host, 53}, name, 1, 120, 0.05);
    const auto tries = random.between(1, 3);
    for (std::uint32_t i = 0; i < tries; ++i)
      traffic.query(second + 0.001 + i * 0.02, {host, static_cast<std::uint16_t>(random.between(1024, 65535))},
                    {public_address(random), 53}, name, 1, 200, 0.03, !random.chance(silent));
  }
}

}  // namespace sonde::corpus
