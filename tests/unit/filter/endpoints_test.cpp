// SPDX-License-Identifier: Apache-2.0
#include "filter/endpoints.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace sonde::filter {
namespace {

Endpoint endpoint(const std::string& text, std::uint16_t port) {
  Endpoint end;
  end.port = port;
  const auto mapped = text.find(':') == std::string::npos ? "::ffff:" + text : text;
  EXPECT_EQ(inet_pton(AF_INET6, mapped.c_str(), end.address.data()), 1) << text;
  return end;
}

Socket socket_of(const std::string& local, std::uint16_t local_port, const std::string& remote,
                 std::uint16_t remote_port) {
  Socket socket;
  socket.local = endpoint(local, local_port);
  socket.remote = endpoint(remote, remote_port);
  socket.protocol = IPPROTO_TCP;
  return socket;
}

const Socket client = socket_of("10.0.0.1", 40'000, "192.0.2.7", 443);
const Socket client6 = socket_of("2001:db8::1", 40'000, "2001:db8::2", 443);

CompiledFilter compiled(const FilterOptions& options) {
  auto filter = compile(options);
  EXPECT_TRUE(filter) << (filter ? "" : filter.error().text());
  return filter ? *filter : CompiledFilter{};
}

CompiledFilter expression(const std::string& text) { return compiled({.expression = text}); }

TEST(Endpoints, AnEmptyFilterTakesAll) { EXPECT_TRUE(matches_endpoints(compiled({}), client)); }

TEST(Endpoints, FieldsSeeTheSentPacketOneWayAndTheReceivedOneTheOther) {
  const auto to = compiled({.destination_networks = {"192.0.2.0/24"}, .destination_ports = {"443"}});
  EXPECT_TRUE(matches_endpoints(to, client, SONDE_DIRECTION_OUT));
  EXPECT_FALSE(matches_endpoints(to, client, SONDE_DIRECTION_IN));
  EXPECT_TRUE(matches_endpoints(to, client));
  const auto from = compiled({.source_networks = {"192.0.2.0/24"}, .source_ports = {"443"}});
  EXPECT_FALSE(matches_endpoints(from, client, SONDE_DIRECTION_OUT));
  EXPECT_TRUE(matches_endpoints(from, client, SONDE_DIRECTION_IN));
}

TEST(Endpoints, NearMisses) {
  EXPECT_FALSE(matches_endpoints(compiled({.ports = {"444"}}), client));
  EXPECT_FALSE(matches_endpoints(compiled({.networks = {"192.0.2.8"}}), client));
  EXPECT_FALSE(matches_endpoints(compiled({.protocol = "udp"}), client));
  // One end each, but not of one packet.
  EXPECT_FALSE(matches_endpoints(compiled({.source_networks = {"10.0.0.1"}, .source_ports = {"443"}}), client));
}

TEST(Endpoints, FamiliesAreApart) {
  EXPECT_TRUE(matches_endpoints(compiled({.networks = {"0.0.0.0/0"}}), client));
  EXPECT_FALSE(matches_endpoints(compiled({.networks = {"::/0"}}), client));
  EXPECT_TRUE(matches_endpoints(compiled({.networks = {"2001:db8::/32"}}), client6));
  EXPECT_FALSE(matches_endpoints(compiled({.networks = {"0.0.0.0/0"}}), client6));
}

TEST(Endpoints, ExpressionsReadTheHeaders) {
  for (const auto* text : {"tcp", "ip", "host 192.0.2.7", "dst port 443 and src host 10.0.0.1", "port 40000",
                           "portrange 442-444", "net 10.0.0.0/8", "tcp[tcpflags] & tcp-ack != 0", "tcp[0:2] = 40000"})
    EXPECT_TRUE(matches_endpoints(expression(text), client)) << text;
  for (const auto* text :
       {"udp", "ip6", "host 192.0.2.8", "src port 443 and src host 10.0.0.1", "ether host 1:2:3:4:5:6"})
    EXPECT_FALSE(matches_endpoints(expression(text), client)) << text;
  for (const auto* text : {"tcp", "ip6", "host 2001:db8::2", "dst port 443", "ip6 and tcp and net 2001:db8::/32"})
    EXPECT_TRUE(matches_endpoints(expression(text), client6)) << text;
  EXPECT_FALSE(matches_endpoints(expression("ip"), client6));
}

TEST(Endpoints, WhatIsKnownOfThePacketIsSeen) {
  const EndpointPacket syn{.tcp_flags = 2, .sequence = 77, .payload_size = 0};
  EXPECT_TRUE(matches_endpoints(expression("tcp[tcpflags] == tcp-syn and tcp[4:4] = 77"), client, syn));
  EXPECT_FALSE(matches_endpoints(expression("tcp[tcpflags] == tcp-syn"), client));
  const EndpointPacket data{.payload_size = 1000};
  EXPECT_TRUE(matches_endpoints(expression("greater 1040 and less 1040"), client, data));
  EXPECT_TRUE(matches_endpoints(expression("ip[2:2] = 1040"), client, data));
  EXPECT_TRUE(matches_endpoints(compiled({.min_size = 1040, .max_size = 1040}), client, data));
  EXPECT_TRUE(matches_endpoints(expression("ip6[4:2] = 1020"), client6, data));
  EXPECT_FALSE(matches_endpoints(compiled({.min_size = 1041}), client, data));
}

TEST(Endpoints, OtherProtocolsAndUnknownEnds) {
  Socket listener = socket_of("0.0.0.0", 53, "0.0.0.0", 0);
  listener.remote = {};
  listener.protocol = IPPROTO_UDP;
  EXPECT_TRUE(matches_endpoints(compiled({.protocol = "udp", .ports = {"53"}}), listener));
  EXPECT_TRUE(matches_endpoints(expression("udp port 53"), listener));
  EXPECT_FALSE(matches_endpoints(expression("tcp"), listener));
  EXPECT_TRUE(matches_endpoints(compiled({.networks = {"0.0.0.0/0"}}), listener));
  listener.local = endpoint("::", 53);
  EXPECT_TRUE(matches_endpoints(expression("ip6 and udp port 53"), listener));
}

}  // namespace
}  // namespace sonde::filter
