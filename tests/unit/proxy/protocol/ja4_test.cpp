// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/ja4.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "actuators/proxy/protocol/hello.hpp"
#include "hello_builder.hpp"

namespace sonde::proxy {
namespace {

const std::vector<std::uint16_t> chrome_ciphers = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
                                                   0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
const std::vector<std::uint16_t> chrome_algorithms = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601};

// The example of the specification: its extensions in its order.
HelloParts chrome() {
  HelloParts parts{.cipher_suites = chrome_ciphers};
  for (const std::uint16_t type : {0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
                                   0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015}) {
    HelloExtension extension{type, {}};
    if (type == 0x0000) extension = server_name("example.com");
    if (type == 0x0010) extension = alpn({"h2", "http/1.1"});
    if (type == 0x002b) extension = supported_versions({0x0304, 0x0303});
    if (type == 0x000d) extension = signature_algorithms(chrome_algorithms);
    parts.extensions.push_back(extension);
  }
  return parts;
}

HelloExtension& find(HelloParts& parts, std::uint16_t type) {
  return *std::ranges::find(parts.extensions, type, &HelloExtension::type);
}

std::string ja4_of(const HelloParts& parts) {
  HelloReader reader(65536);
  const Buffer bytes = in_records(hello_message(parts));
  EXPECT_EQ(reader.read(bytes), HelloState::complete);
  return reader.hello().ja4;
}

std::string summary_of(const HelloParts& parts) { return ja4_of(parts).substr(0, 10); }

std::string alpn_of(const std::string& protocol) {
  HelloParts parts = chrome();
  find(parts, 0x10) = alpn({protocol, "h2"});
  return summary_of(parts).substr(8);
}

TEST(Ja4, ExampleOfTheSpecification) {
  EXPECT_EQ(ja4_of(chrome()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
  const Buffer message = hello_message(chrome());
  EXPECT_EQ(ja4_raw(decode::split_client_hello(decode::Bytes(message).subspan(4)), {"h2"}),
            "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_"
            "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_"
            "0403,0804,0401,0503,0805,0501,0806,0601");
}

TEST(Ja4, WithoutSignatureAlgorithmsThereIsNoUnderscore) {
  HelloParts parts = chrome();
  find(parts, 13).data = {};
  EXPECT_EQ(ja4_of(parts), "t13d1516h2_8daaf6152771_6d807ffa2a79");
}

TEST(Ja4, GreaseIsIgnoredEverywhere) {
  HelloParts parts = chrome();
  parts.cipher_suites.insert(parts.cipher_suites.begin(), 0x1a1a);
  parts.extensions.insert(parts.extensions.begin(), {0xeaea, {}});
  parts.extensions.push_back({0x0a0a, {0}});
  find(parts, 43) = supported_versions({0xfafa, 0x0304, 0x0303});
  auto algorithms = chrome_algorithms;
  algorithms.insert(algorithms.begin(), 0x2a2a);
  find(parts, 13) = signature_algorithms(algorithms);
  EXPECT_EQ(ja4_of(parts), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

TEST(Ja4, WhatLooksLikeGreaseCounts) {
  HelloParts parts = chrome();
  parts.cipher_suites.push_back(0x1a2a);
  parts.cipher_suites.push_back(0x00ff);
  EXPECT_EQ(summary_of(parts), "t13d1716h2");
}

TEST(Ja4, WithoutExtensions) {
  EXPECT_EQ(ja4_of({.cipher_suites = chrome_ciphers}), "t12i150000_8daaf6152771_000000000000");
  HelloParts only_grease{.cipher_suites = {0x0a0a}};
  EXPECT_EQ(ja4_of(only_grease), "t12i000000_000000000000_000000000000");
}

TEST(Ja4, Versions) {
  HelloParts parts{.version = 0x0301};
  EXPECT_EQ(summary_of(parts).substr(0, 3), "t10");
  parts.version = 0x0300;
  EXPECT_EQ(summary_of(parts).substr(0, 3), "ts3");
  parts.extensions = {supported_versions({0x0302, 0x0301})};
  EXPECT_EQ(summary_of(parts).substr(0, 3), "t11");
  parts.extensions = {supported_versions({0x7f1c, 0x0303})};
  EXPECT_EQ(summary_of(parts).substr(0, 3), "t00") << "a draft is no version that has a name";
}

TEST(Ja4, CountsEndAt99) {
  HelloParts parts = chrome();
  parts.cipher_suites.clear();
  for (std::uint16_t i = 0; i < 120; ++i) parts.cipher_suites.push_back(static_cast<std::uint16_t>(0xc000 + i));
  for (std::uint16_t i = 0; i < 120; ++i) parts.extensions.push_back({static_cast<std::uint16_t>(0x5000 + i), {}});
  EXPECT_EQ(summary_of(parts), "t13d9999h2");
}

TEST(Ja4, Alpn) {
  EXPECT_EQ(alpn_of("http/1.1"), "h1");
  EXPECT_EQ(alpn_of("h"), "hh");
  EXPECT_EQ(alpn_of("\xab"), "ab");
  EXPECT_EQ(alpn_of("\x20"), "20");
  EXPECT_EQ(alpn_of("\xab\xcd"), "ad");
  EXPECT_EQ(alpn_of("\x20\x61"), "21");
  EXPECT_EQ(alpn_of("\x30\xab"), "3b");
  EXPECT_EQ(alpn_of("\x61\x20"), "60");
  EXPECT_EQ(alpn_of("\x30\x31\xab\xcd"), "3d");
  EXPECT_EQ(alpn_of("\x30\xab\xcd\x31"), "01");
}

}  // namespace
}  // namespace sonde::proxy
