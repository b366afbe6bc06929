// SPDX-License-Identifier: Apache-2.0
// The local network (ARP), and names that look odd.
#include <vector>

#include "benign.hpp"
#include "scenes.hpp"

namespace sonde::corpus {

namespace {

using Mac = std::array<std::uint8_t, 6>;

Mac mac(std::uint32_t number) {
  return {2,
          0x42,
          static_cast<std::uint8_t>(number >> 24),
          static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8),
          static_cast<std::uint8_t>(number)};
}

Address neighbour(std::uint32_t number) { return ipv4(10, 0, 0, static_cast<std::uint8_t>(number)); }
Address on_server_network(std::uint32_t number) { return ipv4(10, 0, 3, static_cast<std::uint8_t>(number)); }

void ask(Traffic& traffic, double second, const Address& who, const Mac& who_mac, const Address& whom) {
  traffic.arp(second, {.sender_mac = who_mac, .frame_source = who_mac, .sender = who, .target = whom});
}

void answer(Traffic& traffic, double second, const Address& who, const Mac& who_mac, const Address& asker) {
  traffic.arp(second, {.reply = true, .sender_mac = who_mac, .frame_source = who_mac, .sender = who, .target = asker});
}

void announce(Traffic& traffic, double second, const Address& who, const Mac& who_mac, bool as_reply) {
  traffic.arp(second,
              {.reply = as_reply, .sender_mac = who_mac, .frame_source = who_mac, .sender = who, .target = who});
}

}  // namespace

void local_network(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  std::vector<std::uint32_t> owner_of(256);
  std::vector<double> moved(256, -1000);
  for (std::uint32_t i = 0; i < 256; ++i) owner_of[i] = i;
  for (double second = 0; second < 600; second += random.exponential(0.15)) {
    const auto who = random.between(1, 100), whom = random.between(1, 120);
    ask(traffic, second, neighbour(who), mac(owner_of[who]), neighbour(whom));
    if (whom <= 100) answer(traffic, second + 0.001, neighbour(whom), mac(owner_of[whom]), neighbour(who));
    if (random.chance(0.01) &&
        second - moved[who] > 120) {  // a lease goes to another device, which announces itself (RFC 5227)
      moved[who] = second;
      owner_of[who] = 1000 + random.between(0, 100'000);
      announce(traffic, second + 0.1, neighbour(who), mac(owner_of[who]), false);
      announce(traffic, second + 2.1, neighbour(who), mac(owner_of[who]), false);
    }
    if (random.chance(0.02)) {  // a router that answers for others (proxy ARP)
      const auto other = ipv4(10, 0, 200, static_cast<std::uint8_t>(random.between(1, 250)));
      ask(traffic, second + 0.002, neighbour(who), mac(owner_of[who]), other);
      answer(traffic, second + 0.003, other, mac(1), neighbour(who));
    }
  }
}

void failover(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto addresses = random.between(1, 40);
  const bool virtual_mac = random.chance(0.4);
  const auto router_mac = [&](std::uint32_t router) { return virtual_mac ? Mac{0, 0, 0x5e, 0, 1, 7} : mac(router); };
  std::uint32_t master = 1;
  const double fails = random.between_real(20, 60), back = fails + random.between_real(70, 200);
  const auto take_over = [&](double second, std::uint32_t router) {
    master = router;
    for (int round = 0; round < 10; ++round)  // keepalived: 5 at once, 5 after vrrp_garp_master_delay
      for (std::uint32_t i = 0; i < addresses; ++i) {
        auto frame = mac(router);
        traffic.arp(second + (round < 5 ? 0.001 * round : 5 + 0.001 * round),
                    {.reply = random.chance(0.5),
                     .sender_mac = router_mac(router),
                     .frame_source = virtual_mac && random.chance(0.3) ? frame : router_mac(router),
                     .sender = on_server_network(100 + i),
                     .target = on_server_network(100 + i)});
      }
  };
  bool failed = false, restored = false;
  for (double second = 0; second < 300; second += 1) {
    if (!failed && second > fails) take_over(second, 2), failed = true;
    if (!restored && second > back) take_over(second, 1), restored = true;
    const auto who = random.between(3, 60), whom = 100 + random.between(0, addresses - 1);
    ask(traffic, second + 0.3, on_server_network(who), mac(who), on_server_network(whom));
    answer(traffic, second + 0.301, on_server_network(whom), router_mac(master), on_server_network(who));
  }
}

void names(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const Endpoint server{resolver, 53};
  const auto* hex = "0123456789abcdef";
  const auto* letters = "abcdefghijklmnopqrstuvwxyz";
  const auto* both = "abcdefghijklmnopqrstuvwxyz0123456789";
  for (double second = 0; second < 300; second += random.exponential(0.1)) {
    const Endpoint client{host, traffic.ephemeral()};
    const auto kind = random.between(0, 9);
    std::string name;
    if (kind <= 3)
      name = "www." + random_name(random, random.between(4, 14), letters) + ".com";
    else if (kind == 4)
      name = "d" + random_name(random, 13, both) + ".cloudfront.net";
    else if (kind == 5)
      name = "r" + std::to_string(random.between(1, 20)) + "---sn-" + random_name(random, 8, both) + ".googlevideo.com";
    else if (kind == 6)
      name = "e" + std::to_string(random.between(1000, 99999)) + ".dscb.akamaiedge.net";
    else if (kind == 7)
      name = random_name(random, 32, hex) + "-" + std::to_string(random.between(1, 4)) + ".eu-west-1.elb.amazonaws.com";
    else if (kind == 8)
      name = random_name(random, random.between(6, 20), letters) + ".blob.core.windows.net";
    else
      name = random_name(random, 40, hex) + ".avqs.example.com";  // a virus scanner asks by hash
    if (kind == 7 && !random.chance(0.05))
      name = "internal-web-app-frontend-production-1234567890.eu-west-1.elb.amazonaws.com";
    traffic.query(second, client, server, name, 1, kind == 9 ? 16 : 120);
    if (kind <= 7) traffic.query(second + 0.0001, client, server, name, 28, 60);
  }
}

void mail_names(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const Endpoint server{resolver, 53};
  const auto byte = [&] { return std::to_string(random.between(0, 255)); };
  for (double second = 0; second < 300; second += random.exponential(0.3)) {
    const Endpoint client{host, traffic.ephemeral()};
    const auto domain = random_name(random, random.between(5, 12), "abcdefghijklmnopqrstuvwxyz") + ".org";
    const auto reversed = byte() + "." + byte() + "." + byte() + "." + byte();
    std::string nibbles;
    for (int i = 0; i < 32; ++i) nibbles += random_name(random, 1, "0123456789abcdef") + ".";
    const auto list = random.chance(0.5) ? "zen.spamhaus.org" : "bl.spamcop.net";
    traffic.query(second, client, server, reversed + ".in-addr.arpa", 12, 60);
    traffic.query(second + 0.01, client, server, reversed + "." + list, 1, 16, 0.02, true, random.chance(0.7) ? 3 : 0);
    traffic.query(second + 0.01, client, server, reversed + "." + list, 16, 90);
    if (random.chance(0.6)) {
      traffic.query(second + 0.02, client, server, nibbles + "ip6.arpa", 12, 60);
      traffic.query(second + 0.03, client, server, nibbles + list, 1, 16);
    }
    traffic.query(second + 0.04, client, server, random_name(random, 8, "abcdef0123456789") + "._domainkey." + domain,
                  16, 400);
    traffic.query(second + 0.05, client, server, "_dmarc." + domain, 16, 80);
    traffic.query(second + 0.06, client, server, domain, 16, 200);
    if (random.chance(0.1))
      traffic.query(second + 0.07, client, server,
                    "_acme-challenge." + random_name(random, 10, "abcdefghijk") + ".example.net", 16, 120);
  }
}

}  // namespace sonde::corpus
