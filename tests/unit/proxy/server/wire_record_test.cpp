// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/wire_record.hpp"

#include <gtest/gtest.h>

#include <random>

#include "actuators/proxy/stats/record_line.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

Endpoint ipv4(std::uint8_t last, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last};
  endpoint.port = port;
  return endpoint;
}

Endpoint ipv6(std::uint8_t last, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.address = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
  endpoint.port = port;
  return endpoint;
}

const WireEnds ends{ipv4(1, 40001), ipv4(2, 443), ipv6(3, 50001), ipv6(4, 8443)};

ConnectionRecord ordinary() {
  ConnectionRecord record;
  record.accepted_wall_ns = 1'790'000'000'123'456'789;
  record.client = record.peer = ends.client;
  record.listener = ends.proxy_to_client;
  record.server_name = "www.example.com";
  record.alpn = "h2,http/1.1";
  record.ja4 = "t13d1516h2_8daaf6152771_b186095e22b6";
  record.route = "whitelist";
  record.upstream = "www.example.com:443";
  record.upstream_address = ends.upstream;
  record.bytes_received = 517;
  record.bytes_sent = 16'384;
  record.hello = 3ms;
  record.resolved = 20ms;
  record.connected = 45ms;
  record.total = 52ms;
  return record;
}

void expect_same(const ConnectionRecord& record, const WireEnds& of = ends) {
  const auto bytes = write_wire_record(record, of);
  const auto read = read_wire_record(bytes, of);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(record_line(*read), record_line(record));
}

TEST(WireRecord, an_ordinary_one_fits_into_one_part) {
  expect_same(ordinary());
  EXPECT_LE(write_wire_record(ordinary(), ends).size(), static_cast<std::size_t>(SONDE_WIRE_RECORD_BYTES));
}

TEST(WireRecord, everything_may_differ_from_the_ends) {
  auto record = ordinary();
  record.client = ipv6(9, 1);
  record.peer = ipv4(8, 2);
  record.listener = ipv4(0, 443);
  record.listener.address[12] = record.listener.address[13] = record.listener.address[14] = 0;
  record.upstream = "[2001:db8::7]:8443";
  record.upstream_address = {};  // SOCKS5 resolved it
  record.detail = "more \"words\"\n";
  record.bytes_by_kernel = UINT64_MAX;
  record.bytes_received = UINT64_MAX;
  record.server_name.clear();
  expect_same(record);
  record.upstream = "www.example.com:0443";  // not as it would be written
  record.server_name = "www.example.com";
  expect_same(record);
  record.upstream = "www.example.com:99999";
  expect_same(record);
  expect_same(ConnectionRecord{});
}

TEST(WireRecord, long_texts_are_cut_and_the_others_stay) {
  auto record = ordinary();
  record.alpn.assign(2000, 'a');
  record.detail.assign(300, 'd');
  const auto bytes = write_wire_record(record, ends);
  EXPECT_LE(bytes.size(), 640U);
  EXPECT_GE(bytes.size(), 630U);
  const auto read = read_wire_record(bytes, ends);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->server_name, record.server_name);
  EXPECT_EQ(read->ja4, record.ja4);
  EXPECT_EQ(read->bytes_sent, record.bytes_sent);
}

TEST(WireRecord, damaged_ones_are_errors) {
  const auto bytes = write_wire_record(ordinary(), ends);
  EXPECT_FALSE(read_wire_record("", ends));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(read_wire_record(bytes.substr(0, size), ends)) << size;
  EXPECT_FALSE(read_wire_record(bytes + 'x', ends));
  std::mt19937 random(7);
  for (int i = 0; i < 100'000; ++i) {
    auto other = bytes;
    for (int j = 0; j < 3; ++j) other[random() % other.size()] = static_cast<char>(random());
    [[maybe_unused]] const auto read = read_wire_record(other, ends);  // whatever it is, within its bounds
  }
}

WireEnd an_end(std::string record) {
  WireEnd end;
  end.reason = WireEndReason::upstream_closed;
  end.ends = ends;
  end.bytes_received = 1000;
  end.bytes_sent = 1'000'000;
  end.since_joined = 10s;
  end.record = std::move(record);
  return end;
}

TEST(WireRecord, the_line_of_the_access_log) {
  const auto record = finished_record(an_end(write_wire_record(ordinary(), ends)));
  EXPECT_EQ(record.path, ProxyForwarding::wire);
  EXPECT_EQ(record.bytes_received, 1517U);
  EXPECT_EQ(record.bytes_sent, 1'016'384U);
  EXPECT_EQ(record.bytes_by_kernel, 1'001'000U);
  EXPECT_EQ(record.total, 10'052ms);
  EXPECT_EQ(record.end, "upstream-closed");
  EXPECT_EQ(record.server_name, "www.example.com");
}

TEST(WireRecord, without_a_record_the_line_says_what_the_table_knows) {
  const auto record = finished_record(an_end(""));
  EXPECT_EQ(record.client, ends.client);
  EXPECT_EQ(record.upstream_address, ends.upstream);
  EXPECT_EQ(record.bytes_sent, 1'000'000U);
  EXPECT_EQ(record.total, 10s);
  EXPECT_EQ(record.detail, "the connection has no record: time, duration and bytes are those on the wire");
}

}  // namespace
}  // namespace sonde::proxy
