// SPDX-License-Identifier: Apache-2.0
// Option words: what they mean, and what is said about the wrong ones.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events.hpp"
#include "filter/filter.hpp"

namespace sonde::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

bool matches(const FilterOptions& options, const EventFields& fields) {
  const auto compiled = filter::compile(options);
  EXPECT_TRUE(compiled) << compiled.error().text();
  return compiled && filter::matches(*compiled, make_event(fields), {});
}

EventFields ipv6(std::string source, std::string destination) {
  EventFields fields;
  fields.ipv6 = true;
  fields.source = std::move(source);
  fields.destination = std::move(destination);
  return fields;
}

std::string error_of(const FilterOptions& options) {
  const auto compiled = filter::compile(options);
  if (compiled) return "no error";
  EXPECT_EQ(compiled.error().kind, ErrorKind::usage);
  return compiled.error().text();
}

// The word lists, by the option that fills them.
struct ListOption {
  const char* name;
  Words FilterOptions::*words;
};
constexpr ListOption network_options[] = {{"--src-ip", &FilterOptions::source_networks},
                                          {"--dst-ip", &FilterOptions::destination_networks},
                                          {"--ip", &FilterOptions::networks}};
constexpr ListOption port_options[] = {{"--src-port", &FilterOptions::source_ports},
                                       {"--dst-port", &FilterOptions::destination_ports},
                                       {"--port", &FilterOptions::ports}};

TEST(FilterOptions, NothingSetMatchesEverything) {
  const auto compiled = filter::compile({});
  ASSERT_TRUE(compiled);
  EXPECT_EQ(compiled->fields->tests, 0U);
  EXPECT_FALSE(compiled->has_expression);
  EXPECT_TRUE(filter::matches(*compiled, sonde_packet_event{}, {}));
}

TEST(FilterOptions, Protocols) {
  const std::pair<const char*, int> names[] = {{"tcp", 6},    {"udp", 17}, {"icmp", 1}, {"icmp6", 58},
                                               {"sctp", 132}, {"0", 0},    {"47", 47},  {"255", 255}};
  for (const auto& [name, number] : names) {
    EventFields fields;
    fields.protocol = static_cast<std::uint8_t>(number);
    EXPECT_TRUE(matches({.protocol = name}, fields)) << name;
    fields.protocol ^= 1;
    EXPECT_FALSE(matches({.protocol = name}, fields)) << name;
  }
  EXPECT_TRUE(matches({.protocol = "all"}, {}));
}

TEST(FilterOptions, ProtocolZeroIsNotAPacketWithoutIp) {
  const auto compiled = filter::compile({.protocol = "0"});
  ASSERT_TRUE(compiled);
  EXPECT_FALSE(filter::matches(*compiled, sonde_packet_event{}, {}));
}

TEST(FilterOptions, WrongProtocols) {
  for (const char* word : {"", "any", "TCP", "256", "-1", "+6", "6 ", "0x6", "tcp,udp", "99999999999999999999"}) {
    const std::string error = error_of({.protocol = word});
    EXPECT_THAT(error, StartsWith(fmt::format("--protocol {}: ", *word == 0 ? "''" : word)));
    EXPECT_THAT(error, HasSubstr("expected tcp, udp, icmp, icmp6, sctp, all or a number 0 to 255"));
  }
}

TEST(FilterOptions, Direction) {
  EventFields out;
  out.direction = SONDE_DIRECTION_OUT;
  EXPECT_TRUE(matches({.direction = "out"}, out));
  EXPECT_FALSE(matches({.direction = "in"}, out));
  EXPECT_TRUE(matches({.direction = "in"}, {}));
  EXPECT_TRUE(matches({.direction = "both"}, out));
  for (const char* word : {"", "IN", "any", "inbound", "in,out"}) {
    EXPECT_THAT(error_of({.direction = word}), HasSubstr("expected in, out or both"));
  }
}

TEST(FilterOptions, Sizes) {
  EXPECT_TRUE(matches({.min_size = 100, .max_size = 100}, {}));
  EXPECT_FALSE(matches({.min_size = 101}, {}));
  EXPECT_FALSE(matches({.max_size = 99}, {}));
  EXPECT_FALSE(matches({.max_size = 0}, {}));
  EXPECT_TRUE(matches({.min_size = 0}, {}));
  EXPECT_EQ(error_of({.min_size = 200, .max_size = 100}),
            "--min-size 200: larger than --max-size 100; expected 0 to 100");
}

TEST(FilterOptions, Addresses) {
  EXPECT_TRUE(matches({.source_networks = {"10.0.0.1"}}, {}));
  EXPECT_FALSE(matches({.source_networks = {"10.0.0.2"}}, {}));
  EXPECT_TRUE(matches({.destination_networks = {"10.0.0.2"}}, {}));
  EXPECT_TRUE(matches({.networks = {"10.0.0.2"}}, {}));
  EXPECT_TRUE(matches({.networks = {"10.0.0.1"}}, {}));
  EXPECT_FALSE(matches({.networks = {"10.0.0.3"}}, {}));
  EXPECT_TRUE(matches({.networks = {"fd00::1"}}, ipv6("fd00::1", "fd00::2")));
  EXPECT_TRUE(matches({.networks = {"::ffff:10.0.0.1"}}, {}));
}

TEST(FilterOptions, NetworkBorders) {
  const struct {
    const char* network;
    const char* inside;
    const char* outside;
  } cases[] = {{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
               {"10.0.0.2/31", "10.0.0.3", "10.0.0.1"},
               {"128.0.0.0/1", "255.255.255.255", "127.255.255.255"},
               {"10.0.0.2/32", "10.0.0.2", "10.0.0.3"},
               {"192.168.4.0/22", "192.168.7.255", "192.168.8.0"}};
  for (const auto& [network, inside, outside] : cases) {
    EXPECT_TRUE(matches({.source_networks = {network}}, {.source = inside})) << network;
    EXPECT_FALSE(matches({.source_networks = {network}}, {.source = outside})) << network;
  }
  const auto source6 = [](const char* text) { return ipv6(text, "::1"); };
  EXPECT_TRUE(matches({.source_networks = {"fd00:0:0:0:8000::/65"}}, source6("fd00::8000:0:0:1")));
  EXPECT_FALSE(matches({.source_networks = {"fd00:0:0:0:8000::/65"}}, source6("fd00::7fff:0:0:1")));
  EXPECT_TRUE(matches({.source_networks = {"fd00::/64"}}, source6("fd00::ffff:0:0:1")));
  EXPECT_FALSE(matches({.source_networks = {"fd00::/64"}}, source6("fd00:0:0:1::1")));
}

TEST(FilterOptions, EverythingOfOneFamilyIsNotTheOther) {
  EXPECT_TRUE(matches({.source_networks = {"0.0.0.0/0"}}, {}));
  EXPECT_FALSE(matches({.source_networks = {"::/0"}}, {}));
  EXPECT_FALSE(matches({.source_networks = {"::/64"}}, {}));
  EXPECT_TRUE(matches({.source_networks = {"::/0"}}, ipv6("fd00::1", "fd00::2")));
  EXPECT_FALSE(matches({.source_networks = {"0.0.0.0/0"}}, ipv6("fd00::1", "fd00::2")));
  EXPECT_FALSE(matches({.source_networks = {"0.0.0.0/0"}}, ipv6("::ffff:10.0.0.1", "fd00::2")));
  EXPECT_TRUE(matches({.source_networks = {"0.0.0.0/0", "::/0"}}, ipv6("fd00::1", "fd00::2")));
}

TEST(FilterOptions, PacketsWithoutIpFailAddressTests) {
  const auto compiled = filter::compile({.networks = {"0.0.0.0/0", "::/0"}});
  ASSERT_TRUE(compiled);
  EXPECT_FALSE(filter::matches(*compiled, sonde_packet_event{}, {}));
}

TEST(FilterOptions, NetworkListsAreAlternativesAndOptionsAreAnded) {
  const FilterOptions options = {.source_networks = {"10.1.0.0/16,10.0.0.1", "fd00::/8"},
                                 .destination_networks = {"10.0.0.2"}};
  EXPECT_TRUE(matches(options, {}));
  EXPECT_TRUE(matches(options, {.source = "10.1.2.3"}));
  EXPECT_FALSE(matches(options, {.source = "10.2.2.3"}));
  EXPECT_FALSE(matches(options, {.destination = "10.0.0.3"}));
  EXPECT_FALSE(matches(options, ipv6("fd00::1", "fd00::2")));
}

TEST(FilterOptions, WrongNetworks) {
  const char* words[] = {"",          "any",       "10.0.0",    "10.0.0.256", "010.0.0.1x",
                         "10.0.0.1 ", "10/8",      "host.name", "fe80::1%lo", "1:2:3",
                         "10.0.0.1,", ",10.0.0.1", "::g",       "[::1]",      "10.0.0.1:80"};
  for (const auto& [name, list] : network_options) {
    for (const char* word : words) {
      FilterOptions options;
      options.*list = {"10.9.9.9", word};
      EXPECT_THAT(error_of(options), StartsWith(std::string(name) + " ")) << word;
      EXPECT_THAT(error_of(options), HasSubstr("expected an IPv4 or IPv6 address")) << word;
    }
  }
  EXPECT_THAT(error_of({.networks = {std::string("10.0.0.1\0x", 10)}}), HasSubstr("not an address"));
}

TEST(FilterOptions, WrongPrefixLengths) {
  for (const char* word : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0"}) {
    EXPECT_EQ(error_of({.networks = {word}}),
              fmt::format("--ip {}: the prefix length is wrong; expected /0 to /32", word));
  }
  EXPECT_THAT(error_of({.networks = {"fd00::/129"}}), HasSubstr("expected /0 to /128"));
}

TEST(FilterOptions, HostBitsAreAnError) {
  EXPECT_EQ(error_of({.source_networks = {"10.0.0.5/8"}}),
            "--src-ip 10.0.0.5/8: host bits are set; expected 10.0.0.0/8 or 10.0.0.5");
  EXPECT_EQ(error_of({.source_networks = {"fd00::1/64"}}),
            "--src-ip fd00::1/64: host bits are set; expected fd00::/64 or fd00::1");
}

TEST(FilterOptions, SixteenNetworksAndNoMore) {
  for (const auto& [name, list] : network_options) {
    FilterOptions options;
    for (int i = 0; i < 16; ++i) (options.*list).push_back(fmt::format("10.0.0.{}", i));
    EXPECT_EQ(error_of(options), "no error");
    (options.*list).emplace_back("10.0.0.16");
    EXPECT_THAT(error_of(options),
                StartsWith(fmt::format("{} 10.0.0.16: too many networks; expected at most 16", name)));
  }
}

TEST(FilterOptions, Ports) {
  EXPECT_TRUE(matches({.source_ports = {"40000"}}, {}));
  EXPECT_FALSE(matches({.source_ports = {"443"}}, {}));
  EXPECT_TRUE(matches({.destination_ports = {"443"}}, {}));
  EXPECT_FALSE(matches({.destination_ports = {"40000"}}, {}));
  EXPECT_TRUE(matches({.ports = {"443"}}, {}));
  EXPECT_TRUE(matches({.ports = {"40000"}}, {}));
  EXPECT_FALSE(matches({.ports = {"80,442,444-39999", "40001-65535"}}, {}));
  EXPECT_TRUE(matches({.ports = {"80,400-500"}}, {}));
  EXPECT_TRUE(matches({.ports = {"0"}}, {.source_port = 0}));
  EXPECT_TRUE(matches({.ports = {"65535"}}, {.source_port = 65535}));
  EXPECT_TRUE(matches({.ports = {"0-65535"}}, {}));
}

TEST(FilterOptions, PortRangeBorders) {
  for (const std::uint16_t first : {0, 63, 64, 8000}) {
    const auto last = static_cast<std::uint16_t>(first + 64);
    const FilterOptions options = {.source_ports = {fmt::format("{}-{}", first, last)}};
    EXPECT_TRUE(matches(options, {.source_port = first}));
    EXPECT_TRUE(matches(options, {.source_port = last}));
    EXPECT_FALSE(matches(options, {.source_port = static_cast<std::uint16_t>(last + 1)}));
    EXPECT_FALSE(matches(options, {.source_port = static_cast<std::uint16_t>(first - 1)}));
  }
}

TEST(FilterOptions, PacketsWithoutPortsFailPortTests) {
  for (const auto& [name, list] : port_options) {
    FilterOptions options;
    options.*list = {"0-65535"};
    const auto compiled = filter::compile(options);
    ASSERT_TRUE(compiled);
    sonde_packet_event fragment = make_event({});
    fragment.flags = SONDE_PACKET_IPV4 | SONDE_PACKET_FRAGMENT | SONDE_PACKET_LATER_FRAGMENT;
    EXPECT_FALSE(filter::matches(*compiled, fragment, {})) << name;
  }
}

TEST(FilterOptions, WrongPorts) {
  const char* words[] = {"",    "http", "65536", "-1",   "80-",     "-80",  "80-90-100",
                         "80,", "80 ",  "+80",   "0x50", "1-65536", "80:90"};
  for (const auto& [name, list] : port_options) {
    for (const char* word : words) {
      FilterOptions options;
      options.*list = {"443", word};
      EXPECT_THAT(error_of(options), StartsWith(std::string(name) + " ")) << word;
      EXPECT_THAT(error_of(options), HasSubstr("expected a port 0 to 65535 or a range such as 8000-8080")) << word;
    }
  }
  EXPECT_EQ(error_of({.ports = {"8080-8000"}}), "--port 8080-8000: the range is reversed; expected 8000-8080");
}

}  // namespace
}  // namespace sonde::test
