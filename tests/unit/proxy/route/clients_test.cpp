// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "actuators/proxy/route/routes.hpp"

namespace sonde::proxy {
namespace {

GuardNetwork network(const char* word) {
  const auto parsed = parse_guard_network(word);
  EXPECT_TRUE(parsed) << word;
  return parsed ? *parsed : GuardNetwork{};
}

Endpoint client(const char* address) { return {network(address).address, 50000}; }

TEST(Clients, EverybodyWithoutAList) {
  const Clients clients({});
  EXPECT_TRUE(clients.allows(client("192.0.2.1")));
  EXPECT_TRUE(clients.allows(client("2001:db8::1")));
}

TEST(Clients, TheListAndNobodyElse) {
  const Clients clients({network("192.0.2.0/24"), network("198.51.100.7"), network("2001:db8::/32"), network("::1")});
  for (const char* const in : {"192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8:ffff::1", "::1"})
    EXPECT_TRUE(clients.allows(client(in))) << in;
  for (const char* const out : {"192.0.1.255", "192.0.3.0", "198.51.100.6", "198.51.100.8",
                                "2001:db7:ffff::", "2001:db9::", "::2", "::", "127.0.0.1"})
    EXPECT_FALSE(clients.allows(client(out))) << out;
}

TEST(Clients, AllOfAFamilyAndAnybody) {
  const Clients ipv4({network("0.0.0.0/0")});
  EXPECT_TRUE(ipv4.allows(client("255.255.255.255")));
  EXPECT_TRUE(ipv4.allows(client("0.0.0.0")));
  EXPECT_FALSE(ipv4.allows(client("::1")));
  EXPECT_FALSE(ipv4.allows(client("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
  const Clients anybody({GuardNetwork{}, network("192.0.2.1")});
  EXPECT_TRUE(anybody.allows(client("198.51.100.1")));
  EXPECT_TRUE(anybody.allows(client("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
}

using Address = std::array<std::uint8_t, 16>;

// Few different bits, so that networks overlap, touch and hold one another, and addresses hit them.
Address random_address(std::mt19937& random) {
  Address address{};
  for (const unsigned byte : {0U, 1U, 7U, 14U, 15U}) {
    constexpr std::uint8_t values[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
    address[byte] = values[random() % 6];
  }
  return address;
}

bool same_bits(const Address& a, const Address& b, unsigned length) {
  for (unsigned bit = 0; bit < length; ++bit)
    if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

TEST(Clients, AgainstAWalkOverTheList) {
  std::mt19937 random(3);
  int allowed = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<GuardNetwork> networks(1 + random() % 40);
    for (auto& entry : networks) {
      constexpr std::uint8_t lengths[] = {3, 8, 9, 15, 16, 57, 63, 113, 120, 127, 128};
      entry.length = lengths[random() % std::size(lengths)];
      entry.address = random_address(random);
      for (unsigned bit = entry.length; bit < 128; ++bit)
        entry.address[bit / 8] &= static_cast<std::uint8_t>(~(0x80 >> bit % 8));
    }
    const Clients clients(networks);
    for (int i = 0; i < 200; ++i) {
      const auto address = random_address(random);
      bool expected = false;
      for (const auto& entry : networks) expected = expected || same_bits(entry.address, address, entry.length);
      ASSERT_EQ(clients.allows({address, 1}), expected) << Endpoint{address, 1}.text();
      allowed += expected;
    }
  }
  EXPECT_GT(allowed, 5000);
  EXPECT_LT(allowed, 55000);
}

TEST(Clients, ManyNetworks) {
  std::vector<GuardNetwork> networks;
  for (unsigned i = 0; i < 200'000; ++i) {
    GuardNetwork entry = network("10.0.0.0");
    entry.address[13] = static_cast<std::uint8_t>(i >> 15);
    entry.address[14] = static_cast<std::uint8_t>(i >> 7);
    entry.address[15] = static_cast<std::uint8_t>(i << 1);
    networks.push_back(entry);
  }
  const Clients clients(networks);
  EXPECT_TRUE(clients.allows(client("10.0.0.2")));
  EXPECT_FALSE(clients.allows(client("10.0.0.3")));
  EXPECT_TRUE(clients.allows(client("10.6.26.126")));
  EXPECT_FALSE(clients.allows(client("10.6.26.128")));
}

}  // namespace
}  // namespace sonde::proxy
