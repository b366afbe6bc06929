// SPDX-License-Identifier: Apache-2.0
// IPFIX messages, taken apart by a decoder that knows RFC 7011 and nothing of the encoder.
#include "export/flows/ipfix/encoder.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <stdexcept>

#include "export/flows/ipfix/collector.hpp"
#include "ipfix_decoder.hpp"
#include "records.hpp"

namespace sonde::test {
namespace {

using exporter::ipfix::Encoder;

struct Encoded {
  std::vector<std::vector<std::uint8_t>> messages;
  std::uint64_t records = 0, packets = 0;

  Encoder encoder(std::uint32_t domain = 7) {
    return Encoder(domain, [this](const exporter::ipfix::Message& message) {
      messages.emplace_back(message.bytes.begin(), message.bytes.end());
      records += message.records;
      packets += message.packets;
    });
  }
  [[nodiscard]] IpfixDecoder decoded() const {
    IpfixDecoder decoder;
    for (const auto& message : messages) decoder.decode(message);
    return decoder;
  }
};

constexpr std::uint32_t now = 1'763'740'800;

TEST(Ipfix, TheBytesOfAMessage) {
  Encoded out;
  auto encoder = out.encoder();
  encoder.set_max_size(1472);
  encoder.add(sample_record(), now);  // with templates
  encoder.flush();
  encoder.add(sample_record(), now);
  encoder.flush();
  ASSERT_EQ(out.messages.size(), 2U);
  const std::vector<std::uint8_t> expected = {
      0,    10,   0,    132,  0x69, 0x20, 0x8c, 0x80, 0,    0,    0,    3,
      0,    0,    0,    7,    // version, length, time, sequence, domain
      1,    0,    0,    116,  // set 256
      0,    0,    1,    0x9a, 0xa7, 0x25, 0x90, 1,    0,    0,    1,    0x9a,
      0xa7, 0x25, 0x94, 0x6c,  // start, end
      0,    0,    0,    0,    0,    0,    1,    44,   0,    0,    0,    0,
      0,    0,    0,    3,                                                     // 300 bytes, 3 packets
      10,   0,    0,    1,    10,   0,    0,    2,    0x9c, 0x40, 1,    0xbb,  // addresses, ports
      0,    0,    0,    0,    0,    0,    0,    2,                             // ingress, egress
      0,    0x1b, 6,    3,                                                     // TCP flags, protocol, end of flow
      0,    0,    1,    0x9a, 0xa7, 0x25, 0x90, 1,    0,    0,    1,    0x9a,
      0xa7, 0x25, 0x94, 0x6c,  //
      0,    0,    0,    0,    0,    0,    7,    0xd0, 0,    0,    0,    0,
      0,    0,    0,    2,                                                     // 2000 bytes, 2 packets
      10,   0,    0,    2,    10,   0,    0,    1,    1,    0xbb, 0x9c, 0x40,  //
      0,    0,    0,    2,    0,    0,    0,    0,                             //
      0,    0x12, 6,    3};
  EXPECT_EQ(out.messages[1], expected);
}

TEST(Ipfix, EveryFieldOfEveryKindOfFlow) {
  Encoded out;
  auto encoder = out.encoder();
  encoder.set_max_size(1472);
  for (const bool ipv6 : {false, true})
    for (const bool vlan : {false, true}) {
      auto record = sample_record(ipv6);
      if (vlan) record.flow.vlan = 42;
      encoder.add(record, now);
    }
  encoder.flush();
  const auto decoder = out.decoded();
  ASSERT_EQ(decoder.records.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    const auto& record = decoder.records[i];
    const bool ipv6 = i >= 4, vlan = i % 4 >= 2, back = i % 2 == 1;
    EXPECT_EQ(record.number(1), back ? 2000U : 300U);
    EXPECT_EQ(record.number(2), back ? 2U : 3U);
    EXPECT_EQ(record.number(4), 6U);
    EXPECT_EQ(record.number(6), back ? 0x12U : 0x1bU);
    EXPECT_EQ(record.number(7), back ? 443U : 40000U);
    EXPECT_EQ(record.number(11), back ? 40000U : 443U);
    EXPECT_EQ(record.number(10), back ? 2U : 0U);
    EXPECT_EQ(record.number(14), back ? 0U : 2U);
    EXPECT_EQ(record.number(136), 3U);
    EXPECT_EQ(record.number(152), 1'763'740'848'129U);
    EXPECT_EQ(record.number(153), 1'763'740'849'260U);
    EXPECT_EQ(record.fields.contains(58), vlan);
    if (vlan) {
      EXPECT_EQ(record.number(58), 42U);
    }
    EXPECT_EQ(record.fields.contains(8), !ipv6);
    EXPECT_EQ(record.fields.contains(27), ipv6);
    EXPECT_EQ(record.fields.at(ipv6 ? 27 : 8).size(), ipv6 ? 16U : 4U);
    EXPECT_EQ(record.fields.at(ipv6 ? 27 : 8).back(), back ? 2 : 1);
    EXPECT_EQ(record.fields.at(ipv6 ? 28 : 12).back(), back ? 1 : 2);
  }
  ASSERT_EQ(decoder.options.size(), 1U);  // sampling: one of one
  EXPECT_EQ(decoder.options[0].number(304), 1U);
  EXPECT_EQ(decoder.options[0].number(305), 1U);
  EXPECT_EQ(decoder.options[0].number(306), 0U);
}

TEST(Ipfix, ADirectionWithoutPacketsHasNoRecord) {
  Encoded out;
  auto encoder = out.encoder();
  auto record = sample_record();
  record.delta[1] = {};
  encoder.add(record, now);
  encoder.flush();
  EXPECT_EQ(out.decoded().records.size(), 1U);
}

TEST(Ipfix, ReasonsOfTheEnd) {
  for (const auto& [end, reason] : {std::pair{FlowEnd::idle, 1U},
                                    {FlowEnd::none, 2U},
                                    {FlowEnd::closed, 3U},
                                    {FlowEnd::reset, 3U},
                                    {FlowEnd::shutdown, 4U}}) {
    Encoded out;
    auto encoder = out.encoder();
    auto record = sample_record();
    record.flow.end = end;
    encoder.add(record, now);
    encoder.flush();
    EXPECT_EQ(out.decoded().records.at(0).number(136), reason);
  }
}

// Messages keep to their size, sequence numbers count data records, templates come again; nothing is lost on the way.
TEST(Ipfix, ManyRecordsOfAllKindsInMessagesOfEverySize) {
  for (const std::size_t size : {512U, 548U, 1232U, 1472U}) {
    std::mt19937 random(11);
    Encoded out;
    auto encoder = out.encoder();
    encoder.set_max_size(size);
    std::uint64_t packets = 0, records = 0;
    for (std::uint32_t i = 0; i < 3000; ++i) {
      auto record = sample_record(random() % 2 == 0);
      if (random() % 2 == 0) record.flow.vlan = static_cast<std::uint16_t>(random() % 4096);
      record.delta[0].packets = random() % 3;
      record.delta[1].packets = random() % 3;
      for (const auto& count : record.delta) {
        packets += count.packets;
        records += count.packets > 0 ? 1 : 0;
      }
      encoder.add(record, now + i / 30);
      if (random() % 50 == 0) encoder.flush();
    }
    encoder.finish({records, 5, 6, 7}, now + 100);
    EXPECT_EQ(out.packets, packets);
    EXPECT_EQ(out.records, records);
    const auto decoder = out.decoded();
    EXPECT_EQ(decoder.records.size(), records);
    std::uint64_t decoded_packets = 0;
    for (const auto& record : decoder.records) decoded_packets += record.number(2);
    EXPECT_EQ(decoded_packets, packets);
    EXPECT_EQ(decoder.sequence_errors, 0U);
    EXPECT_EQ(decoder.domain, 7U);
    EXPECT_GE(decoder.template_messages, 2U) << "again after a minute";
    for (const auto& message : out.messages) EXPECT_LE(message.size(), size);
    const auto& last = decoder.options.back();
    EXPECT_EQ(last.number(42), records);
    EXPECT_EQ(last.number(164), 5U);
    EXPECT_EQ(last.number(166), 6U);
    EXPECT_EQ(last.number(167), 7U);
  }
}

TEST(Collector, Words) {
  using exporter::ipfix::parse_collector;
  const auto v6 = parse_collector("[2001:db8::1]:4739");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "2001:db8::1");
  EXPECT_EQ(v6->port, "4739");
  EXPECT_EQ(parse_collector("flows.example:9995")->host, "flows.example");
  for (const auto* word :
       {"", "host", ":4739", "host:", "host:0", "host:65536", "host:x", "2001:db8::1:4739", "[::1]", "[]:1"}) {
    const auto parsed = parse_collector(word);
    ASSERT_FALSE(parsed) << word;
    EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
    EXPECT_NE(parsed.error().message.find("--export '" + std::string(word) + "'"), std::string::npos);
  }
}

}  // namespace
}  // namespace sonde::test
