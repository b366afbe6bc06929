// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/proxy_header.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <string>
#include <string_view>

#include "hello_builder.hpp"

namespace sonde::proxy {
namespace {

using State = ProxyHeaderState;

const Buffer signature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

Endpoint ip(const char* text, std::uint16_t port) {
  Endpoint endpoint{.port = port};
  if (::inet_pton(AF_INET6, text, endpoint.address.data()) == 1) return endpoint;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  EXPECT_EQ(::inet_pton(AF_INET, text, &endpoint.address[12]), 1) << text;
  return endpoint;
}

Buffer v2(std::uint8_t command, std::uint8_t family, const Buffer& block) {
  return signature + Buffer{command, family} + counted(block, 2);
}
const Buffer block_4 = {192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0x01, 0xbb};  // ports 12345 and 443

ProxyHeader read(const Buffer& bytes) { return read_proxy_header(bytes); }
ProxyHeader read(std::string_view text) { return read_proxy_header(bytes_of(text)); }

void expect_pair(const ProxyHeader& header, const char* source, std::uint16_t source_port, const char* destination,
                 std::uint16_t destination_port) {
  ASSERT_EQ(header.state, State::complete);
  EXPECT_EQ(header.source, ip(source, source_port));
  EXPECT_EQ(header.destination, ip(destination, destination_port));
}

void expect_none(const ProxyHeader& header, std::size_t size) {
  EXPECT_EQ(header.state, State::complete);
  EXPECT_EQ(header.size, size);
  EXPECT_FALSE(header.source);
  EXPECT_FALSE(header.destination);
}

// Every beginning is incomplete, and what follows the header is not part of it.
void expect_whole(const Buffer& header) {
  for (std::size_t size = 0; size < header.size(); ++size) {
    const Buffer part(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_EQ(read(part).state, State::incomplete) << size;
  }
  EXPECT_EQ(read(header).size, header.size());
  const ProxyHeader followed = read(header + Buffer{22, 3, 1, 0x0d, 0x0a});
  EXPECT_EQ(followed.state, State::complete);
  EXPECT_EQ(followed.size, header.size());
}

TEST(ProxyHeader, Version1) {
  const std::string_view line = "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n";
  expect_pair(read(line), "192.0.2.1", 12345, "198.51.100.2", 443);
  expect_whole(bytes_of(line));
  expect_pair(read("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 0 65535\r\n"), "2001:db8::1", 0, "192.0.2.1", 65535);
}

TEST(ProxyHeader, Version1Unknown) {
  expect_none(read("PROXY UNKNOWN\r\n"), 15);
  expect_none(read("PROXY UNKNOWN whatever stands here\r\nGET"), 36);
}

TEST(ProxyHeader, Version1Longest) {
  const std::string longest =
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
  ASSERT_EQ(longest.size(), 107U);
  expect_whole(bytes_of(longest));
  EXPECT_EQ(read("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n").state, State::malformed) << "108 bytes";
  EXPECT_EQ(read("PROXY UNKNOWN " + std::string(93, 'x')).state, State::malformed);
}

TEST(ProxyHeader, Version1Wrong) {
  for (const std::string_view line : {
           "PROXY TCP4 192.0.2.1 198.51.100.2 12345\r\n",
           "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443 \r\n",
           "PROXY TCP4 192.0.2.1  198.51.100.2 12345 443\r\n",
           "PROXY  TCP4 192.0.2.1 198.51.100.2 12345 443\r\n",
           "PROXY TCP4 192.0.2.1 198.51.100.2 12345 65536\r\n",
           "PROXY TCP4 192.0.2.1 198.51.100.2 012 443\r\n",
           "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
           "PROXY TCP4 192.0.2.1 198.51.100.2 1 4x\r\n",
           "PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n",
           "PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n",
           "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
           "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
           "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
           "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
           "PROXY UNKNOWNX\r\n",
           "PROXY \r\n",
           "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\n",
           "PROXYTCP4",
           "proxy TCP4",
           "GET / HTTP/1.1\r\n",
       }) {
    EXPECT_EQ(read(line).state, State::malformed) << line;
  }
  EXPECT_EQ(read(std::string_view("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 2\r\n", 40)).state, State::malformed);
  EXPECT_EQ(read(Buffer{22, 3, 1}).state, State::malformed) << "a ClientHello without a header";
}

TEST(ProxyHeader, Version2) {
  const Buffer header = v2(0x21, 0x11, block_4);
  expect_pair(read(header), "192.0.2.1", 12345, "198.51.100.2", 443);
  expect_whole(header);
  Buffer block_6(36, 0);
  block_6[0] = 0x20, block_6[1] = 1, block_6[15] = 7;
  block_6[31] = 1, block_6[33] = 80, block_6[35] = 90;
  expect_pair(read(v2(0x21, 0x21, block_6)), "2001::7", 80, "::1", 90);
  expect_whole(v2(0x21, 0x21, block_6));
}

TEST(ProxyHeader, Version2WithoutAddresses) {
  expect_none(read(v2(0x20, 0x00, {})), 16);
  expect_none(read(v2(0x20, 0x11, block_4)), 28);
  expect_none(read(v2(0x20, 0x7f, {1, 2, 3})), 19);  // LOCAL: the block is not looked at
  expect_none(read(v2(0x21, 0x00, {1, 2, 3})), 19);
  expect_none(read(v2(0x21, 0x31, Buffer(216, '/'))), 232);
  expect_none(read(v2(0x21, 0x12, block_4)), 28);  // UDP: not this connection's
}

TEST(ProxyHeader, Version2Wrong) {
  EXPECT_EQ(read(v2(0x11, 0x11, block_4)).state, State::malformed) << "version 1 in the second one's clothes";
  EXPECT_EQ(read(v2(0x22, 0x11, block_4)).state, State::malformed) << "no such command";
  EXPECT_EQ(read(v2(0x21, 0x41, block_4)).state, State::malformed) << "no such family";
  EXPECT_EQ(read(v2(0x21, 0x13, block_4)).state, State::malformed) << "no such transport";
  EXPECT_EQ(read(v2(0x21, 0x11, Buffer(11, 0))).state, State::malformed);
  EXPECT_EQ(read(v2(0x21, 0x21, Buffer(35, 0))).state, State::malformed);
  EXPECT_EQ(read(v2(0x21, 0x31, Buffer(215, 0))).state, State::malformed);
  Buffer other = signature;
  other[11] = 0x0b;
  EXPECT_EQ(read(other).state, State::malformed);
}

TEST(ProxyHeader, Version2Extensions) {
  const Buffer name = Buffer{0x02} + counted(bytes_of("www.example.com"), 2);
  const Buffer nothing = {0x04, 0, 0};
  expect_pair(read(v2(0x21, 0x11, block_4 + name + nothing)), "192.0.2.1", 12345, "198.51.100.2", 443);
  expect_whole(v2(0x21, 0x11, block_4 + name + nothing));
  EXPECT_EQ(read(v2(0x21, 0x11, block_4 + Buffer{4, 0})).state, State::malformed);
  EXPECT_EQ(read(v2(0x21, 0x11, block_4 + Buffer{4, 0, 1})).state, State::malformed);
  expect_pair(read(v2(0x21, 0x11, block_4 + Buffer{4} + counted(Buffer(65535 - 12 - 3, 0), 2))), "192.0.2.1", 12345,
              "198.51.100.2", 443);
}

// The plain definition of RFC 3720's CRC-32c, a bit at a time.
std::uint32_t crc32c(const Buffer& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

TEST(ProxyHeader, Version2Checksum) {
  ASSERT_EQ(crc32c(bytes_of("123456789")), 0xe3069283U);
  const Buffer before = v2(0x21, 0x11, block_4 + Buffer{0x03, 0, 4, 0, 0, 0, 0} + Buffer{0x04, 0, 2, 9, 9});
  Buffer header = before;
  const Buffer sum = number(crc32c(before), 4);
  std::ranges::copy(sum, header.begin() + 16 + 12 + 3);
  expect_pair(read(header), "192.0.2.1", 12345, "198.51.100.2", 443);
  for (std::size_t at = 16; at < header.size(); ++at) {
    if (at == 28 || at == 29 || at == 30 || (at >= 35 && at <= 37)) continue;  // types and lengths
    Buffer changed = header;
    changed[at] ^= 1;
    EXPECT_EQ(read(changed).state, State::malformed) << at;
  }
  EXPECT_EQ(read(v2(0x21, 0x11, block_4 + Buffer{0x03, 0, 3, 0, 0, 0})).state, State::malformed);
}

TEST(ProxyHeader, WhatIsWrittenIsRead) {
  const Endpoint four = ip("192.0.2.1", 12345);
  const Endpoint other_four = ip("198.51.100.2", 443);
  const Endpoint six = ip("2001:db8::1", 1);
  const auto write = [](ProxyProtocolOut version, const Endpoint& source, const Endpoint& destination) {
    return write_proxy_header(version, source, destination);
  };
  EXPECT_EQ(write(ProxyProtocolOut::v1, four, other_four), bytes_of("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n"));
  EXPECT_EQ(write(ProxyProtocolOut::v1, four, six), bytes_of("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 12345 1\r\n"));
  EXPECT_EQ(write(ProxyProtocolOut::v2, four, other_four), v2(0x21, 0x11, block_4));
  EXPECT_EQ(write(ProxyProtocolOut::off, four, four), Buffer());
  for (const auto version : {ProxyProtocolOut::v1, ProxyProtocolOut::v2}) {
    for (const Endpoint& source : {four, six}) {
      for (const Endpoint& destination : {other_four, six}) {
        const ProxyHeader header = read(write(version, source, destination));
        EXPECT_EQ(header.state, State::complete);
        EXPECT_EQ(header.source, source);
        EXPECT_EQ(header.destination, destination);
      }
    }
  }
}

}  // namespace
}  // namespace sonde::proxy
