// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cctype>
#include <random>
#include <regex>

#include "actuators/proxy/config/address.hpp"
#include "actuators/proxy/config/server_name.hpp"

namespace sonde::proxy {
namespace {

TEST(ServerName, IsFolded) {
  EXPECT_EQ(fold_server_name("WWW.Example.ORG"), "www.example.org");
  EXPECT_EQ(fold_server_name("www.example.org."), "www.example.org");
  EXPECT_EQ(fold_server_name("localhost"), "localhost");
  EXPECT_EQ(fold_server_name("_dmarc.a-b.xn--mnchen-3ya"), "_dmarc.a-b.xn--mnchen-3ya");
  EXPECT_EQ(fold_server_name("1.2.3.4.in-addr.arpa"), "1.2.3.4.in-addr.arpa");
}

TEST(ServerName, WhatIsNone) {
  const std::string label(63, 'a');
  for (const std::string name :
       {"",      ".",   "..",    ".a",        "a..",  "a..b", "a b",        "a/b",    "*.a",  "a\tb",
        "[::1]", "::1", "a:443", "192.0.2.1", "10.1", "127",  "0x7f000001", "1.0x1f", "a.0x", "m\xc3\xbcnchen.example"})
    EXPECT_EQ(fold_server_name(name), "") << name;
  EXPECT_EQ(fold_server_name(std::string("a\0b", 3)), "");
  EXPECT_EQ(fold_server_name(label + ".a"), label + ".a");
  EXPECT_EQ(fold_server_name(label + "b.a"), "");
  const auto longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  EXPECT_EQ(fold_server_name(longest), longest);
  EXPECT_EQ(fold_server_name(longest + "."), longest);
  EXPECT_EQ(fold_server_name(longest + "c"), "");
}

// The same as the definition, written as an expression.
TEST(ServerName, AgainstAnExpression) {
  const std::regex names("^([a-z0-9_-]{1,63}\\.)*[a-z0-9_-]{1,63}\\.?$", std::regex::icase);
  const std::regex numbers("^(.*\\.)?([0-9]+|0x[0-9a-f]*)\\.?$", std::regex::icase);
  std::mt19937 random(1);
  const std::string_view letters = "aAzZ09x-_..  \xc3/";
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string name(random() % 12, ' ');
    for (char& c : name) c = letters[random() % letters.size()];
    const bool is_name = std::regex_match(name, names) && !std::regex_match(name, numbers);
    std::string expected;
    if (is_name)
      for (const char c : name) expected += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (expected.ends_with('.')) expected.pop_back();
    ASSERT_EQ(fold_server_name(name), expected) << name;
    accepted += is_name;
  }
  EXPECT_GT(accepted, 1000);
}

TEST(ProxyAddress, Endpoints) {
  for (const std::string word : {"192.0.2.1:443", "0.0.0.0:1", "[::]:65535", "[2001:db8::1]:443"}) {
    const auto endpoint = parse_endpoint(word);
    ASSERT_TRUE(endpoint) << word;
    EXPECT_EQ(endpoint->text(), word);
  }
  for (const char* const word :
       {"", ":", ":443", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:+1", "192.0.2.1: 1",
        "2001:db8::1:443", "[192.0.2.1]:443", "[::1]", "[::1:443", "::1]:443", "[fe80::1%eth0]:443", "any:443",
        "10.0.0.0/8:443", "localhost:443", "010.0.0.1:443"})
    EXPECT_FALSE(parse_endpoint(word)) << word;
}

TEST(ProxyAddress, AddressesWithOrWithoutPort) {
  const std::pair<const char*, const char*> words[] = {{"192.0.2.1", "192.0.2.1:0"},
                                                       {"192.0.2.1:53", "192.0.2.1:53"},
                                                       {"2001:db8::1", "[2001:db8::1]:0"},
                                                       {"[2001:db8::1]", "[2001:db8::1]:0"},
                                                       {"[2001:db8::1]:53", "[2001:db8::1]:53"}};
  for (const auto& [word, text] : words) {
    const auto address = parse_address(word);
    ASSERT_TRUE(address) << word;
    EXPECT_EQ(address->text(), text);
  }
  EXPECT_FALSE(parse_address("[192.0.2.1]"));
  EXPECT_FALSE(parse_address("any"));
}

TEST(ProxyAddress, Upstreams) {
  EXPECT_EQ(parse_upstream("Backend.Example.:8443")->text(), "backend.example:8443");
  EXPECT_EQ(parse_upstream("192.0.2.1:443")->text(), "192.0.2.1:443");
  EXPECT_EQ(parse_upstream("[2001:DB8::0:1]:443")->text(), "[2001:db8::1]:443");
  for (const char* const word : {"backend.example", "backend.example:", ":443", "192.0.2:443", "2001:db8::1:443",
                                 "[backend.example]:443", "a b:443", "unix:/run/a.sock"})
    EXPECT_FALSE(parse_upstream(word)) << word;
}

// As many of the networks as have these first bits.
int holding(const std::vector<GuardNetwork>& networks, const std::array<std::uint8_t, 16>& address) {
  int found = 0;
  for (const auto& network : networks) {
    unsigned same = 0;
    while (same < 128 && ((address[same / 8] ^ network.address[same / 8]) >> (7 - same % 8) & 1) == 0) ++same;
    found += same >= network.length ? 1 : 0;
  }
  return found;
}

// Split so that no IPv4 address is in it, and every other one that was is in one of them.
TEST(ProxyAddress, IPv6NetworksAroundIPv4) {
  std::mt19937 random(2);
  for (const unsigned length : {0U, 1U, 3U, 64U, 79U, 80U}) {
    SCOPED_TRACE(length);
    const auto networks = parse_client_network("::/" + std::to_string(length));
    ASSERT_TRUE(networks);
    EXPECT_EQ(networks->size(), 96 - length);
    int inside = 0;
    for (int i = 0; i < 2000; ++i) {
      // Near the mapped addresses: their bits up to somewhere, then any.
      std::array<std::uint8_t, 16> address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4};
      for (unsigned bit = static_cast<unsigned>(random() % 129); bit < 128; ++bit)
        if (random() % 2 == 0) address[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
      bool zeros = true;
      for (unsigned bit = 0; bit < length; ++bit) zeros = zeros && (address[bit / 8] >> (7 - bit % 8) & 1) == 0;
      const bool expected = zeros && !Endpoint{address, 0}.is_ipv4();
      ASSERT_EQ(holding(*networks, address), expected ? 1 : 0) << Endpoint{address, 0}.text();
      inside += expected;
    }
    EXPECT_GT(inside, 100);
  }
  EXPECT_EQ(parse_client_network("::/96")->size(), 1U);
  EXPECT_EQ(parse_client_network("2000::/3")->size(), 1U);
  EXPECT_FALSE(parse_client_network("::1/0"));
}

}  // namespace
}  // namespace sonde::proxy
