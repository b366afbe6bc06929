// SPDX-License-Identifier: Apache-2.0
// Filters inside sonde's own programs: each option lets its packet through, stops the near miss, and agrees with
// user space on every sample.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "filter/filter.hpp"
#include "packet_programs.hpp"
#include "packet_samples.hpp"

namespace sonde::test {
namespace {

constexpr std::array<std::uint8_t, 4> near_v4 = {10, 0, 0, 3};
constexpr std::array<std::uint8_t, 16> near_v6 = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};

struct Row {
  const char* name;
  std::function<void(FilterOptions&)> set;
  std::vector<Bytes> pass;
  std::vector<Bytes> stop;
};

Bytes tcp4(const Tcp& header = {}, const Ipv4& ip = {}) { return ethernet({}, ipv4(ip, tcp(header, counting(30)))); }
Bytes tcp6(const Tcp& header = {}, const Ipv6& ip = {}) {
  return ethernet({.type = ether_ipv6}, ipv6(ip, tcp(header, counting(30))));
}
Bytes udp4() { return ethernet({}, ipv4({.protocol = 17}, udp({.destination_port = 443}, counting(30)))); }
Bytes udp6() {
  return ethernet({.type = ether_ipv6}, ipv6({.next = 17}, udp({.destination_port = 443}, counting(30))));
}
Bytes arp() { return ethernet({.type = ether_arp, .padded_to = 60}, arp_request()); }
Bytes in_vlan(const Bytes& frame) {
  Bytes tagged = frame;
  tagged.insert(tagged.begin() + 12, {0x81, 0, 0, 100});
  return tagged;
}

std::vector<Row> protocol_and_address_rows() {
  return {
      {"protocol tcp", [](auto& f) { f.protocol = "tcp"; }, {tcp4(), tcp6(), in_vlan(tcp4())}, {udp4(), udp6(), arp()}},
      {"protocol 17", [](auto& f) { f.protocol = "17"; }, {udp4(), udp6()}, {tcp4(), tcp6(), arp()}},
      {"source IPv4",
       [](auto& f) { f.source_networks = {"10.0.0.1"}; },
       {tcp4(), udp4(), in_vlan(udp4())},
       {tcp6(), arp(), tcp4({}, {.source = near_v4}),
        tcp4({}, {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}})}},
      {"destination IPv6",
       [](auto& f) { f.destination_networks = {"2001:db8::2"}; },
       {tcp6(), udp6()},
       {tcp4(), arp(), tcp6({}, {.destination = near_v6})}},
      {"either",
       [](auto& f) {
         f.networks = {"10.0.0.3", "2001:db8::3"};
       },
       {tcp4({}, {.source = near_v4}), tcp4({}, {.destination = near_v4}), tcp6({}, {.source = near_v6}),
        tcp6({}, {.destination = near_v6})},
       {tcp4(), tcp6(), arp()}},
      {"IPv4 network",
       [](auto& f) { f.source_networks = {"10.0.0.0/31"}; },
       {tcp4()},
       {tcp4({}, {.source = {10, 0, 0, 2}}), tcp6(), arp()}},
      {"IPv6 network",
       [](auto& f) { f.networks = {"2001:db8::2/127"}; },
       {tcp6(), tcp6({}, {.source = near_v6})},
       {tcp4(), tcp6({}, {.destination = {0x20, 1, 0x0d, 0xb8}})}},
      {"all of IPv6", [](auto& f) { f.networks = {"::/0"}; }, {tcp6(), udp6()}, {tcp4(), arp()}},
  };
}

std::vector<Row> port_and_size_rows() {
  const auto later = ethernet({}, ipv4({.protocol = 6, .fragment = 1}, tcp({}, counting(30))));
  return {
      {"destination port",
       [](auto& f) { f.destination_ports = {"443"}; },
       {tcp4(), tcp6(), udp4(), udp6(), in_vlan(tcp6())},
       {tcp4({.destination_port = 444}), tcp4({.source_port = 443, .destination_port = 40'000}), arp(), later}},
      {"source port range",
       [](auto& f) { f.source_ports = {"39999-40000"}; },
       {tcp4(), udp6()},
       {tcp4({.source_port = 40'001}), tcp6({.source_port = 39'998}), later}},
      {"either port",
       [](auto& f) { f.ports = {"22,443"}; },
       {tcp4(), tcp6({.source_port = 22, .destination_port = 9}), tcp4({.source_port = 443, .destination_port = 9})},
       {tcp4({.destination_port = 23}), arp(), later}},
      {"port in the other byte order",
       [](auto& f) { f.ports = {"47873"}; },  // 443 with its bytes exchanged
       {tcp4({.destination_port = 47'873})},
       {tcp4(), tcp6()}},
      {"least size", [](auto& f) { f.min_size = 84; }, {tcp4(), tcp6()}, {arp(), udp4()}},
      {"most size", [](auto& f) { f.max_size = 84; }, {tcp4(), arp(), udp4()}, {tcp6()}},
      {"all at once",
       [](auto& f) {
         f.protocol = "tcp";
         f.source_networks = {"10.0.0.1"};
         f.destination_ports = {"443"};
         f.expression = "tcp[tcpflags] & tcp-push != 0";
       },
       {tcp4()},
       {tcp6(), udp4(), tcp4({.flags = 0x10}), tcp4({}, {.source = near_v4})}},
      {"expression", [](auto& f) { f.expression = "ip6 and tcp port 443"; }, {tcp6()}, {tcp4(), udp6(), arp()}},
  };
}

void check_row(const Row& row) {
  FilterOptions filter;
  row.set(filter);
  PacketPrograms programs({}, filter);
  for (const auto* program : {"sonde_xdp", "sonde_ingress", "sonde_egress"}) {
    SCOPED_TRACE(std::string(row.name) + " in " + program);
    for (const auto& packet : row.pass) EXPECT_EQ(programs.run(program, packet).events.size(), 1U);
    for (const auto& packet : row.stop) {
      const auto result = programs.run(program, packet);
      EXPECT_EQ(result.events.size(), 0U);
      EXPECT_EQ(result.packet, packet);
    }
  }
  const auto counters = programs.counters();
  EXPECT_EQ(counters.emitted, 3 * row.pass.size());
  EXPECT_EQ(counters.filtered, 3 * row.stop.size());
  EXPECT_EQ(counters.taken, counters.emitted + counters.filtered);
}

TEST(KernelFilter, ProtocolsAndAddresses) {
  for (const auto& row : protocol_and_address_rows()) check_row(row);
}

TEST(KernelFilter, PortsAndSizes) {
  for (const auto& row : port_and_size_rows()) check_row(row);
}

TEST(KernelFilter, Direction) {
  for (const auto* direction : {"in", "out"}) {
    FilterOptions filter;
    filter.direction = direction;
    PacketPrograms programs({}, filter);
    for (const auto& program : programs_under_test()) {
      if (program.link != LinkType::ethernet) continue;
      const bool wanted = (program.direction == SONDE_DIRECTION_OUT) == (std::strcmp(direction, "out") == 0);
      EXPECT_EQ(programs.run(program.name, tcp4()).events.size(), wanted ? 1U : 0U) << program.name << direction;
    }
  }
}

TEST(KernelFilter, AgreesWithUserSpaceOnEverySample) {
  const std::vector<std::function<void(FilterOptions&)>> filters = {
      [](auto& f) { f.ports = {"53"}; },
      [](auto& f) { f.protocol = "17"; },
      [](auto& f) { f.networks = {"2001:db8::/64"}; },
      [](auto& f) { f.expression = "udp port 53"; },
      [](auto& f) { f.expression = "vlan and udp"; },
      [](auto& f) { f.expression = "ip[6:2] & 0x1fff != 0"; },
      [](auto& f) {
        f.expression = "len > 100 and not tcp";
        f.source_ports = {"40000"};
      }};
  for (const auto& set : filters) {
    FilterOptions filter;
    set(filter);
    PacketPrograms programs({}, filter);
    for (const auto& program : programs_under_test())
      for (const auto& sample : all_samples()) {
        const bool raw = program.link == LinkType::raw_ip;
        if (raw && !is_untagged_ip(sample)) continue;
        const auto one = raw ? without_link_header(sample) : sample;
        const auto result = programs.run(program.name, one.frame);
        SCOPED_TRACE(one.name + " through " + program.name + " " + filter.expression);
        ASSERT_EQ(result.error, 0);
        EXPECT_EQ(result.events.size() == 1, filter::matches(programs.filter(), one.expected, one.frame));
      }
  }
}

}  // namespace
}  // namespace sonde::test
