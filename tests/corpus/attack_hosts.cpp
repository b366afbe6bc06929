// SPDX-License-Identifier: Apache-2.0
// What a host does that has been taken over, and attacks on its network.
#include <netinet/in.h>

#include <algorithm>
#include <string>
#include <vector>

#include "scenes.hpp"

namespace sonde::corpus {

namespace {

using Mac = std::array<std::uint8_t, 6>;

Mac mac(std::uint32_t number) {
  return {2, 0x42, 0, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

Attack beacon(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const Endpoint server{public_address(random),
                        static_cast<std::uint16_t>(random.chance(0.6) ? 443 : random.between(1024, 60'000))};
  traffic.owner = program("/tmp/.cache/update", 5000);
  const double interval = random.between_real(15, 300), jitter = random.between_real(0, 0.4);
  const double begins = 30;
  double second = begins;
  for (int i = 0; i < 40; ++i) {
    const Endpoint client{host, traffic.ephemeral()};
    // Now and then there is something to do.
    const bool task = random.chance(0.05);
    traffic.connection(second, client, server, {.rtt = 0.05, .up = task ? 50'000U : 300U, .down = task ? 900U : 200U});
    second += interval * (1 - jitter * random.fraction());
  }
  traffic.owner = nullptr;
  return {.kind = SecurityKind::beacon,
          .who = detect::address_text(host),
          .whom = server.text(),
          .begins = begins,
          .what = std::to_string(interval) + " s, jitter " + std::to_string(jitter)};
}

Attack long_idle(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const Endpoint client{host, traffic.ephemeral()},
      server{public_address(random), static_cast<std::uint16_t>(random.between(1024, 60'000))};
  traffic.owner = program("/bin/bash", 5001);
  const double keepalive = random.between_real(10, 200);
  traffic.add(10, IPPROTO_TCP, client, server, 74, SYN);
  traffic.add(10.05, IPPROTO_TCP, server, client, 74, SYN | ACK);
  traffic.add(10.1, IPPROTO_TCP, client, server, 66, ACK);
  traffic.add(10.2, IPPROTO_TCP, client, server, 90, PSH | ACK);
  for (double second = 10 + keepalive; second < 3 * 3600; second += keepalive) {
    traffic.add(second, IPPROTO_TCP, client, server, 66, ACK);
    traffic.add(second + 0.05, IPPROTO_TCP, server, client, 66, ACK);
  }
  traffic.owner = nullptr;
  return {.kind = SecurityKind::long_idle,
          .who = detect::address_text(host),
          .whom = server.text(),
          .begins = 10,
          .what = "keepalive every " + std::to_string(keepalive) + " s"};
}

Attack new_destination(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  traffic.owner = program("/usr/bin/java", 5002);
  std::vector<Endpoint> partners;
  const auto count = random.between(1, 8);
  for (std::uint32_t i = 0; i < count; ++i) {
    partners.push_back({public_address(random), 443});
    traffic.countries[partners.back().address] = "DE";
  }
  const double begins = random.between_real(1.2, 1.8) * 3600;
  for (double second = 0; second < 2 * 3600; second += random.exponential(20))
    traffic.connection(second, {host, traffic.ephemeral()}, partners[random.between(0, count - 1)]);
  const bool by_port = random.chance(0.5);
  const Endpoint stranger{by_port ? partners[0].address : public_address(random),
                          static_cast<std::uint16_t>(by_port ? random.between(1024, 30'000) : 443)};
  if (!by_port) traffic.countries[stranger.address] = "KP";
  traffic.connection(begins, {host, traffic.ephemeral()}, stranger);
  traffic.owner = nullptr;
  return {.kind = SecurityKind::new_destination,
          .who = detect::address_text(host),
          .whom = stranger.text(),
          .begins = begins,
          .what = by_port ? "port" : "country"};
}

Attack connect_failures(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  traffic.owner = program("/tmp/.cache/update", 5003);
  double second = 30;
  const double pause = random.between_real(0.2, 1.5);
  for (int i = 0; i < 120; ++i, second += random.exponential(pause)) {
    static constexpr std::uint16_t ports[] = {443, 8080, 4443, 8443, 1337, 6667};
    const Endpoint server{public_address(random), ports[random.between(0, 5)]};
    if (random.chance(0.02))
      traffic.connection(second, {host, traffic.ephemeral()}, server);
    else if (random.chance(0.5))
      traffic.unanswered(second, {host, traffic.ephemeral()}, server, 3);
    else
      traffic.refused(second, {host, traffic.ephemeral()}, server, 0.1);
  }
  traffic.owner = nullptr;
  return {.kind = SecurityKind::connect_failures,
          .who = detect::address_text(host),
          .begins = 30,
          .what = std::to_string(pause) + " s"};
}

Address neighbour(std::uint32_t number) { return ipv4(10, 0, 0, static_cast<std::uint8_t>(number)); }

// A question, and its answer a millisecond later.
void ask_by_arp(Traffic& traffic, double second, std::uint32_t who, std::uint32_t whom) {
  traffic.arp(second,
              {.sender_mac = mac(who), .frame_source = mac(who), .sender = neighbour(who), .target = neighbour(whom)});
  traffic.arp(second + 0.001, {.reply = true,
                               .sender_mac = mac(whom),
                               .frame_source = mac(whom),
                               .sender = neighbour(whom),
                               .target = neighbour(who)});
}

void ordinary_arp(Traffic& traffic, double until, const std::vector<std::uint32_t>& silent) {
  for (double second = 0; second < until; second += traffic.random.exponential(1)) {
    const auto who = traffic.random.between(1, 30), whom = traffic.random.between(1, 30);
    if (who == whom || std::ranges::find(silent, whom) != silent.end()) continue;
    ask_by_arp(traffic, second, who, whom);
  }
}

/// arpspoof(8) says every 2 s, ettercap every 10 s, bettercap every second that the gateway is here.
Attack arp_poison(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const bool quiet_gateway = random.chance(0.5);
  ordinary_arp(traffic, 200, quiet_gateway ? std::vector<std::uint32_t>{1} : std::vector<std::uint32_t>{});
  const double pauses[] = {1, 2, 10};
  const double pause = pauses[random.between(0, 2)];
  const auto attacker = mac(666);
  for (double second = 40; second < 160; second += pause)
    traffic.arp(second,
                {.reply = true, .sender_mac = attacker, .frame_source = attacker, .sender = gateway, .target = host});
  return {.kind = SecurityKind::arp_spoof,
          .whom = detect::address_text(gateway),
          .begins = 40,
          .what = std::to_string(pause) + " s" + (quiet_gateway ? ", gateway silent" : "")};
}

/// Answers all requests as well: a race with the owner of each address.
Attack arp_race(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto attacker = mac(666);
  for (double second = 0; second < 200; second += random.exponential(1)) {
    const auto who = random.between(1, 30), whom = random.between(1, 30);
    if (who == whom) continue;
    ask_by_arp(traffic, second, who, whom);
    if (second > 40 && second < 160 && random.chance(0.7))
      traffic.arp(second + 0.002, {.reply = true,
                                   .sender_mac = attacker,
                                   .frame_source = attacker,
                                   .sender = neighbour(whom),
                                   .target = neighbour(who)});
  }
  return {.kind = SecurityKind::arp_spoof, .begins = 40, .what = "race"};
}

Attack arp_forged_frame(Traffic& traffic) {
  traffic.locals = {host};
  ordinary_arp(traffic, 200, {});
  for (double second = 40; second < 160; second += 2)
    traffic.arp(second,
                {.reply = true, .sender_mac = mac(667), .frame_source = mac(666), .sender = gateway, .target = host});
  return {.kind = SecurityKind::arp_spoof, .begins = 40, .what = "sender differs from frame"};
}

struct Tunnel {
  std::uint16_t type;
  const char* letters;
  std::uint32_t least, most;  ///< characters of data in a name
  std::uint32_t answer;
};

std::string with_dots(const std::string& data) {
  std::string name;
  for (std::size_t i = 0; i < data.size(); i += 60) name += data.substr(i, 60) + ".";
  return name;
}

Attack tunnel(Traffic& traffic, const Tunnel& how) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const double pause = random.between_real(0.05, 0.8);
  double second = 30;
  for (int i = 0; i < 400; ++i, second += random.exponential(pause)) {
    const bool idle = random.chance(0.2);
    const auto data = random_name(random, idle ? 14 : random.between(how.least, how.most), how.letters);
    traffic.query(second, {host, traffic.ephemeral()}, {resolver, 53}, with_dots(data) + "t.example.net", how.type,
                  idle ? 40 : how.answer, 0.05);
  }
  return {.kind = SecurityKind::dns_tunnel,
          .who = detect::address_text(host),
          .begins = 30,
          .what = "type " + std::to_string(how.type) + ", every " + std::to_string(pause) + " s"};
}

constexpr const char* base32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr const char* base64 = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
constexpr const char* hex = "0123456789abcdef";

Attack tunnel_iodine(Traffic& traffic) { return tunnel(traffic, {10, base32, 60, 200, 900}); }
Attack tunnel_dnscat(Traffic& traffic) {
  static constexpr std::uint16_t types[] = {16, 5, 15};
  return tunnel(traffic, {types[traffic.random.between(0, 2)], hex, 30, 120, 150});
}
Attack tunnel_dns2tcp(Traffic& traffic) { return tunnel(traffic, {16, base64, 30, 180, 500}); }
Attack exfiltration(Traffic& traffic) { return tunnel(traffic, {1, hex, 60, 180, 16}); }

constexpr AttackScene scenes[] = {
    {"beacon", "40 calls every 15 to 300 s with a jitter of 0 to 40 %", beacon},
    {"long-idle", "a reverse shell: open for 3 hours, keepalives every 10 to 200 s", long_idle},
    {"new-destination", "a service of a few partners calls another country or port", new_destination},
    {"connect-failures", "a program tries a list of servers, of which 2 % answer", connect_failures},
    {"arp-poison", "unasked answers for the gateway every 1, 2 or 10 s", arp_poison, false},
    {"arp-race", "another answer to 70 % of all requests", arp_race, false},
    {"arp-forged", "answers whose sender differs from the frame's source", arp_forged_frame, false},
    {"tunnel-iodine", "NULL, 60 to 200 characters of base32", tunnel_iodine},
    {"tunnel-dnscat", "TXT, CNAME or MX, 30 to 120 characters of hex", tunnel_dnscat},
    {"tunnel-dns2tcp", "TXT, 30 to 180 characters of base64", tunnel_dns2tcp},
    {"exfiltration", "A, 60 to 180 characters of hex", exfiltration},
};

}  // namespace

std::span<const AttackScene> host_attacks() { return scenes; }

}  // namespace sonde::corpus
