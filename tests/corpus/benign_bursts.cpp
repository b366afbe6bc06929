// SPDX-License-Identifier: Apache-2.0
// Much traffic at once that nobody should be blocked for.
#include <netinet/in.h>

#include <vector>

#include "benign.hpp"
#include "scenes.hpp"

namespace sonde::corpus {

void backup(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const Endpoint server{ipv4(10, 0, 9, 9), static_cast<std::uint16_t>(random.chance(0.5) ? 22 : 873)};
  for (int i = 0; i < 3; ++i)
    traffic.connection(5 + i * 20, {host, traffic.ephemeral()}, server,
                       {.rtt = 0.001, .up = random.between(500'000'000, 2'000'000'000), .down = 100'000, .lasts = 60});
  // NFS over UDP: large datagrams in fragments, both ways answered.
  const Endpoint nfs{ipv4(10, 0, 9, 10), 2049};
  for (int i = 0; i < 1200; ++i) {
    const double second = 10 + i * 0.05;
    traffic.datagram(second, {host, 800}, nfs, 1514, 40);
    traffic.add(second, IPPROTO_UDP, {host, 0}, {nfs.address, 0}, 1514, 0, 200).later_fragment = true;
    traffic.datagram(second + 0.001, nfs, {host, 800}, 160, 40);
  }
}

void iperf(Traffic& traffic) {
  auto& random = traffic.random;
  const auto client = ipv4(10, 0, 6, 6);
  traffic.locals = {host};
  const Endpoint server{host, 5201};
  const double seconds = 30;
  traffic.connection(2, {client, traffic.ephemeral()}, server,
                     {.rtt = 0.001, .up = 2000, .down = 2000, .lasts = seconds});
  const auto streams = random.between(1, 4);
  const bool upward = random.chance(0.7);
  for (std::uint32_t stream = 0; stream < streams; ++stream) {
    const Endpoint from{client, traffic.ephemeral()};
    traffic.exchange(2.1, from, server, 46, 46, 0.001);
    const auto packets = random.between(2'000, 90'000) / 10;
    for (int i = 0; i < static_cast<int>(seconds * 10); ++i)
      traffic.datagram(2.2 + i * 0.1, upward ? from : server, upward ? server : from, 1490, packets);
  }
}

void dns_peak(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto peak = random.between(1'500, 6'000);
  const double answer_time = random.between_real(0.0005, 0.15);
  for (double second = 0; second < 24;) {
    const double rate = second > 8 && second < 18 ? peak : 100;
    second += random.exponential(1 / rate);
    const Endpoint client{public_address(random), static_cast<std::uint16_t>(random.between(1024, 65535))};
    traffic.exchange(second, client, {host, 53}, 80, 400, answer_time);
  }
}

void flash_crowd(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto peak = random.between(500, 2'500);
  const double rtt = random.between_real(0.005, 0.3);
  std::vector<Address> crowd;
  for (int i = 0; i < 3000; ++i) crowd.push_back(public_address(random));
  for (double second = 0; second < 24;) {
    const double rate = second > 8 && second < 20 ? peak : 20;
    second += random.exponential(1 / rate);
    traffic.connection(second,
                       {crowd[random.between(0, 2999)], static_cast<std::uint16_t>(random.between(1024, 65535))},
                       {host, 443}, {.rtt = rtt, .up = 500, .down = 1400, .lasts = 0});
  }
}

void one_way_telemetry(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const std::uint16_t port = random.chance(0.5) ? 2055 : 514;  // NetFlow, syslog
  const auto senders = random.between(1, 60);
  for (double second = 0; second < 120; second += 0.1)
    for (std::uint32_t i = 0; i < senders; ++i) {
      const bool burst = second > 80 && second < 90;
      traffic.datagram(second, {ipv4(10, 0, 7, static_cast<std::uint8_t>(i + 1)), 40'000}, {host, port}, 1400,
                       burst ? random.between(100, 400) / (1 + senders / 4) : random.between(1, 10));
    }
}

void time_server(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (double second = 0; second < 40; second += random.exponential(0.001)) {
    const Endpoint client{public_address(random),
                          static_cast<std::uint16_t>(random.chance(0.4) ? 123 : random.between(1024, 65535))};
    traffic.exchange(second, client, {host, 123}, 90, 90, 0.0002);
  }
}

void large_answers(Traffic& traffic) {
  // A validating resolver whose answers are big and come late, some of them for flows that are gone from the table.
  auto& random = traffic.random;
  traffic.locals = {host};
  for (double second = 0; second < 120; second += random.exponential(0.01)) {
    const Endpoint from{host, static_cast<std::uint16_t>(random.between(1024, 65535))};
    const Endpoint to{public_address(random), 53};
    if (random.chance(0.05))
      traffic.datagram(second, to, from, 1500);  // asked before we looked
    else
      traffic.exchange(second, from, to, 90, 1500, random.between_real(0.005, 2));
    if (random.chance(0.1)) {
      traffic.add(second + 2.1, IPPROTO_UDP, {to.address, 0}, {host, 0}, 900).later_fragment = true;
    }
  }
}

}  // namespace sonde::corpus
