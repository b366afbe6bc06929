// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/socks5.hpp"

#include <gtest/gtest.h>

#include "hello_builder.hpp"

namespace sonde::proxy {
namespace {

using State = Socks5State;

const ProxySocks5 open_server{.server = {.host = "proxy.example", .port = 1080}, .username = {}, .password = {}};
const ProxySocks5 closed_server{
    .server = {.host = "proxy.example", .port = 1080}, .username = "user", .password = "pass word"};

const Buffer connected_reply = {5, 0, 0, 1, 192, 0, 2, 1, 0x1f, 0x90};

// The answers one after the other, all but the last of which make the client send something.
State converse(Socks5Client& client, const std::vector<Buffer>& answers) {
  State state = client.step({});
  for (const Buffer& answer : answers) {
    EXPECT_EQ(state, State::send);
    state = client.step(answer);
  }
  return state;
}

std::string error_after(const ProxySocks5& server, const std::vector<Buffer>& answers) {
  Socks5Client client(server, "www.example.com", 443);
  EXPECT_EQ(converse(client, answers), State::failed);
  EXPECT_TRUE(client.out().empty());
  EXPECT_EQ(client.step({}), State::failed);
  return client.error();
}

TEST(Socks5, WithoutAuthentication) {
  Socks5Client client(open_server, "www.example.com", 443);
  ASSERT_EQ(client.step({}), State::send);
  EXPECT_EQ(client.out(), (Buffer{5, 1, 0}));
  ASSERT_EQ(client.step(Buffer{5, 0}), State::send);
  EXPECT_EQ(client.consumed(), 2U);
  EXPECT_EQ(client.out(), (Buffer{5, 1, 0, 3} + counted(bytes_of("www.example.com"), 1) + Buffer{1, 0xbb}));
  ASSERT_EQ(client.step(connected_reply), State::connected);
  EXPECT_EQ(client.consumed(), 10U);
  EXPECT_TRUE(client.out().empty());
  EXPECT_EQ(client.error(), "");
}

TEST(Socks5, WithUserAndPassword) {
  Socks5Client client(closed_server, "www.example.com", 8443);
  ASSERT_EQ(client.step({}), State::send);
  EXPECT_EQ(client.out(), (Buffer{5, 2, 0, 2}));
  ASSERT_EQ(client.step(Buffer{5, 2}), State::send);
  EXPECT_EQ(client.out(), (Buffer{1} + counted(bytes_of("user"), 1) + counted(bytes_of("pass word"), 1)));
  ASSERT_EQ(client.step(Buffer{1, 0}), State::send);
  EXPECT_EQ(client.out(), (Buffer{5, 1, 0, 3} + counted(bytes_of("www.example.com"), 1) + Buffer{0x20, 0xfb}));
  ASSERT_EQ(client.step(connected_reply), State::connected);
}

TEST(Socks5, TheServerMayWantNoPassword) {
  Socks5Client client(closed_server, "www.example.com", 443);
  EXPECT_EQ(converse(client, {{5, 0}, connected_reply}), State::connected);
}

TEST(Socks5, AddressesAreSentAsSuch) {
  Socks5Client four(open_server, "192.0.2.7", 443);
  EXPECT_EQ(converse(four, {{5, 0}}), State::send);
  EXPECT_EQ(four.out(), (Buffer{5, 1, 0, 1, 192, 0, 2, 7, 1, 0xbb}));
  Socks5Client six(open_server, "2001:db8::1", 443);
  EXPECT_EQ(converse(six, {{5, 0}}), State::send);
  EXPECT_EQ(six.out(), (Buffer{5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xbb}));
}

// Replies with each kind of address, a byte at a time, and the connection's own bytes behind them.
TEST(Socks5, EveryAnswerSplitAtEveryByte) {
  const Buffer own = bytes_of("220 hello");
  for (const Buffer& address :
       {Buffer{1, 192, 0, 2, 1}, Buffer{4} + Buffer(16, 9), Buffer{3, 0}, Buffer{3} + counted(Buffer(255, 'x'), 1)}) {
    const Buffer reply = Buffer{5, 0, 0} + address + Buffer{0, 80};
    Socks5Client client(closed_server, "a.example", 443);
    ASSERT_EQ(client.step({}), State::send);
    ASSERT_EQ(client.step({}), State::needs_more);
    ASSERT_EQ(client.step(Buffer{5}), State::needs_more);
    ASSERT_EQ(client.step(Buffer{2}), State::send);
    ASSERT_EQ(client.step(Buffer{1}), State::needs_more);
    ASSERT_EQ(client.step(Buffer{0}), State::send);
    for (std::size_t i = 0; i + 1 < reply.size(); ++i) {
      ASSERT_EQ(client.step(Buffer{reply[i]}), State::needs_more) << i;
      ASSERT_EQ(client.consumed(), 1U);
    }
    ASSERT_EQ(client.step(Buffer{reply.back()} + own), State::connected);
    EXPECT_EQ(client.consumed(), 1U) << "the rest is the connection's";
    for (std::size_t cut = 0; cut <= reply.size(); ++cut) {
      Socks5Client in_two(open_server, "a.example", 443);
      ASSERT_EQ(converse(in_two, {{5, 0}}), State::send);
      const Buffer first(reply.begin(), reply.begin() + static_cast<std::ptrdiff_t>(cut));
      const Buffer second(reply.begin() + static_cast<std::ptrdiff_t>(cut), reply.end());
      const State state = in_two.step(first);
      ASSERT_EQ(state, cut < reply.size() ? State::needs_more : State::connected);
      if (cut == reply.size()) continue;
      ASSERT_EQ(in_two.step(second + own), State::connected) << cut;
      ASSERT_EQ(in_two.consumed(), second.size());
    }
  }
}

TEST(Socks5, Refusals) {
  const char* const texts[] = {"general failure",
                               "connection not allowed by ruleset",
                               "network unreachable",
                               "host unreachable",
                               "connection refused",
                               "TTL expired",
                               "command not supported",
                               "address type not supported",
                               "code 9"};
  for (std::uint8_t code = 1; code <= 9; ++code) {
    const std::string expected = std::string("the server refuses: ") + texts[code - 1];
    EXPECT_EQ(error_after(open_server, {{5, 0}, {5, code, 0, 1, 0, 0, 0, 0, 0, 0}}), expected);
    EXPECT_EQ(error_after(open_server, {{5, 0}, {5, code}}), expected) << "a reply that ends there";
  }
  EXPECT_EQ(error_after(open_server, {{5, 0}, {5, 255}}), "the server refuses: code 255");
}

TEST(Socks5, WrongAnswers) {
  EXPECT_EQ(error_after(open_server, {{4}}), "the server does not speak SOCKS5");
  EXPECT_EQ(error_after(open_server, {bytes_of("HTTP/1.1 400")}), "the server does not speak SOCKS5");
  EXPECT_EQ(error_after(open_server, {{5, 0xff}}), "the server wants authentication");
  EXPECT_EQ(error_after(closed_server, {{5, 0xff}}), "the server takes no password");
  EXPECT_EQ(error_after(open_server, {{5, 2}}), "the server chose an authentication method that was not offered");
  EXPECT_EQ(error_after(closed_server, {{5, 1}}), "the server chose an authentication method that was not offered");
  EXPECT_EQ(error_after(closed_server, {{5, 2}, {1, 1}}), "the server refuses user name and password");
  EXPECT_EQ(error_after(open_server, {{5, 0}, {1}}), "the server's reply is not of SOCKS5");
  EXPECT_EQ(error_after(open_server, {{5, 0}, {5, 0, 0, 2}}), "the server's reply has an address of an unknown type");
  EXPECT_EQ(error_after(open_server, {{5, 0, 5}}), "the server answers before it is asked");
}

TEST(Socks5, LimitsOfTheProtocol) {
  const std::string most(255, 'a');
  Socks5Client longest({.server = {}, .username = most, .password = most}, most, 1);
  EXPECT_EQ(converse(longest, {{5, 2}, {1, 0}, connected_reply}), State::connected);
  for (const auto& [host, server] : std::vector<std::pair<std::string, ProxySocks5>>{
           {most + 'a', open_server},
           {"", open_server},
           {"a", {.server = {}, .username = most + 'a', .password = {}}},
           {"a", {.server = {}, .username = "a", .password = most + 'a'}}}) {
    Socks5Client client(server, host, 1);
    EXPECT_EQ(client.step({}), State::failed);
    EXPECT_NE(client.error(), "");
  }
}

}  // namespace
}  // namespace sonde::proxy
