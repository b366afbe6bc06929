// SPDX-License-Identifier: Apache-2.0
// pcap-filter(7) expressions in user space: compilation, errors, and the choice of the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "events.hpp"
#include "filter/filter.hpp"

namespace sonde::test {
namespace {

using ::testing::HasSubstr;

// An IPv4 header and a TCP header from port 40000 to 443, 10.0.0.1 to 10.0.0.2.
std::vector<std::uint8_t> ip_packet() {
  return {0x45, 0,    0,    40,   0, 0, 0x40, 0, 64, 6, 0, 0, 10,   0, 0,    1,    10, 0, 0, 2,
          0x9c, 0x40, 0x01, 0xbb, 0, 0, 0,    1, 0,  0, 0, 0, 0x50, 2, 0xff, 0xff, 0,  0, 0, 0};
}

std::vector<std::uint8_t> ethernet_packet() {
  std::vector<std::uint8_t> packet = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
  const auto ip = ip_packet();
  packet.insert(packet.end(), ip.begin(), ip.end());
  return packet;
}

bool matches(const std::string& expression, const std::vector<std::uint8_t>& bytes, int flags, std::size_t wire = 0) {
  const auto compiled = filter::compile({.expression = expression});
  EXPECT_TRUE(compiled) << compiled.error().text();
  sonde_packet_event event = make_event({});
  event.flags = static_cast<__u8>(event.flags | flags);
  event.packet_size = static_cast<__u32>(wire != 0 ? wire : bytes.size());
  return compiled && filter::matches(*compiled, event, bytes);
}

Error error_of(const std::string& expression) {
  const auto compiled = filter::compile({.expression = expression});
  return compiled ? Error{ErrorKind::failed, 0, "no error", ""} : compiled.error();
}

TEST(FilterExpression, LinkHeaderDecidesTheProgram) {
  EXPECT_TRUE(matches("tcp dst port 443", ethernet_packet(), 0));
  EXPECT_FALSE(matches("tcp dst port 443", ip_packet(), 0));
  EXPECT_TRUE(matches("tcp dst port 443", ip_packet(), SONDE_PACKET_NO_LINK_HEADER));
  EXPECT_FALSE(matches("tcp dst port 443", ethernet_packet(), SONDE_PACKET_NO_LINK_HEADER));
}

TEST(FilterExpression, LinkHeaderExpressionsNeverMatchBareIp) {
  const auto compiled = filter::compile({.expression = "ether host 02:00:00:00:00:01"});
  ASSERT_TRUE(compiled) << compiled.error().text();
  EXPECT_TRUE(compiled->has_expression);
  EXPECT_FALSE(compiled->ethernet.empty());
  EXPECT_TRUE(compiled->raw_ip.empty());
  EXPECT_TRUE(matches("ether host 02:00:00:00:00:01", ethernet_packet(), 0));
  EXPECT_FALSE(matches("ether host 02:00:00:00:00:01", ip_packet(), SONDE_PACKET_NO_LINK_HEADER));
}

TEST(FilterExpression, FieldsAndExpressionAreAnded) {
  const auto bytes = ethernet_packet();
  sonde_packet_event event = make_event({});
  event.packet_size = static_cast<__u32>(bytes.size());
  const auto verdict = [&](const FilterOptions& options) {
    return filter::matches(filter::compile(options).value(), event, bytes);
  };
  EXPECT_TRUE(verdict({.ports = {"443"}, .expression = "tcp"}));
  EXPECT_FALSE(verdict({.ports = {"80"}, .expression = "tcp"}));
  EXPECT_FALSE(verdict({.ports = {"443"}, .expression = "udp"}));
}

TEST(FilterExpression, LengthIsThePacketsNotTheCapturedBytes) {
  EXPECT_TRUE(matches("len = 1500", ethernet_packet(), 0, 1500));
  EXPECT_FALSE(matches("len = 54", ethernet_packet(), 0, 1500));
}

TEST(FilterExpression, LoadsBehindTheCapturedBytesReject) {
  EXPECT_FALSE(matches("ether[54] = 0", ethernet_packet(), 0, 1500));
  EXPECT_FALSE(matches("not (ether[54] = 0)", ethernet_packet(), 0, 1500));
  EXPECT_TRUE(matches("ether[53] = 0", ethernet_packet(), 0, 1500));
}

TEST(FilterExpression, BlankIsNoExpression) {
  for (const char* blank : {"", " ", "\t \n"}) {
    const auto compiled = filter::compile({.expression = blank});
    ASSERT_TRUE(compiled);
    EXPECT_FALSE(compiled->has_expression);
  }
}

TEST(FilterExpression, ErrorsNameTheExpressionAndLibpcapsReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"tcp prot 80", "syntax error"},   {"port 70000", "illegal port"},
      {"host 10.0.0.256", "10.0.0.256"}, {"tcp and udp", "rejects all packets"},
      {"ether[0:3] = 0", "data size"},   {"net 10.0.0.1/8", "non-network bits"},
      {"(tcp", "syntax error"},          {"ip broadcast", "netmask"},
  };
  for (const auto& [expression, reason] : cases) {
    const Error error = error_of(expression);
    EXPECT_EQ(error.kind, ErrorKind::usage) << expression;
    EXPECT_THAT(error.message, HasSubstr("filter expression '" + std::string(expression) + "'"));
    EXPECT_THAT(error.message, HasSubstr(reason));
  }
}

TEST(FilterExpression, WordsOfALiveSocketPointToTheOptions) {
  for (const char* expression : {"inbound", "outbound", "tcp and not inbound"}) {
    const Error error = error_of(expression);
    EXPECT_EQ(error.kind, ErrorKind::usage) << expression;
    EXPECT_THAT(error.hint, HasSubstr("--direction")) << expression << ": " << error.text();
  }
  EXPECT_EQ(error_of("ifindex 3").kind, ErrorKind::usage) << error_of("ifindex 3").text();
}

TEST(FilterExpression, ShiftsTheKernelRefusesAreErrors) {
  EXPECT_EQ(error_of("ether[0] << 40 = 0").kind, ErrorKind::usage) << error_of("ether[0] << 40 = 0").text();
}

TEST(FilterExpression, ManyThreadsMayCompile) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> compiled = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&compiled] {
      for (int round = 0; round < 50; ++round) {
        if (filter::compile({.expression = "tcp port 80 or (ip6 and udp portrange 1-100)"})) ++compiled;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(compiled, 200);
}

}  // namespace
}  // namespace sonde::test
