// SPDX-License-Identifier: Apache-2.0
#include "sonde/endpoint.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <random>

namespace sonde {
namespace {

Endpoint endpoint(const char* address, std::uint16_t port) {
  Endpoint out;
  EXPECT_EQ(::inet_pton(AF_INET6, address, out.address.data()), 1) << address;
  out.port = port;
  return out;
}

TEST(Endpoint, IsWrittenAsPeopleWriteIt) {
  EXPECT_EQ(endpoint("::ffff:192.0.2.1", 443).text(), "192.0.2.1:443");
  EXPECT_EQ(endpoint("::ffff:0.0.0.0", 53).text(), "0.0.0.0:53");
  EXPECT_EQ(endpoint("2001:db8::1", 443).text(), "[2001:db8::1]:443");
  EXPECT_EQ(endpoint("2001:db8::1", 443).address_text(), "2001:db8::1");
  EXPECT_EQ(endpoint("::", 0).text(), "[::]:0");
  EXPECT_EQ(endpoint("::1", 65535).text(), "[::1]:65535");
}

TEST(Endpoint, TheTextOfAnAddressIsTheAddress) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    Endpoint before;
    for (auto& byte : before.address) byte = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : 0;
    const auto text = before.address_text();
    EXPECT_EQ(endpoint((before.is_ipv4() ? "::ffff:" + text : text).c_str(), 0).address, before.address) << text;
  }
}

TEST(Endpoint, KnowsMappedAddresses) {
  EXPECT_TRUE(endpoint("::ffff:192.0.2.1", 0).is_ipv4());
  for (const auto* address :
       {"::", "::1", "::fffe:192.0.2.1", "::192.0.2.1", "1::ffff:192.0.2.1", "64:ff9b::192.0.2.1"})
    EXPECT_FALSE(endpoint(address, 0).is_ipv4()) << address;
}

TEST(TcpStateName, IsThatOfTheRfc) {
  EXPECT_STREQ(tcp_state_name(1), "ESTABLISHED");
  EXPECT_STREQ(tcp_state_name(3), "SYN-RECEIVED");
  EXPECT_STREQ(tcp_state_name(6), "TIME-WAIT");
  EXPECT_STREQ(tcp_state_name(11), "CLOSING");
  EXPECT_STREQ(tcp_state_name(12), "SYN-RECEIVED");
  EXPECT_STREQ(tcp_state_name(0), "");
  EXPECT_STREQ(tcp_state_name(14), "");
  EXPECT_STREQ(tcp_state_name(255), "");
}

}  // namespace
}  // namespace sonde
