// SPDX-License-Identifier: Apache-2.0
// Packet bytes that follow the event: snapshot lengths, record classes, both transports.
#include <gtest/gtest.h>

#include <cstring>

#include "packet_programs.hpp"
#include "packet_samples.hpp"

namespace sonde::test {
namespace {

packets::ProgramOptions with_bytes(std::uint32_t snaplen, sonde_transport transport = SONDE_TRANSPORT_RING) {
  packets::ProgramOptions options;
  options.capture_bytes = true;
  options.snaplen = snaplen;
  options.transport = transport;
  return options;
}

Bytes udp_packet(std::size_t size) { return ethernet({}, ipv4({.protocol = 17}, udp({}, counting(size - 42)))); }

// Around the sizes at which the ring takes another record class, and the bounds of a frame.
const std::vector<std::size_t> sizes = {42,  43,  63,  64,  65,  96,   97,   127,  128,  129,  319,
                                        320, 321, 767, 768, 769, 1500, 1514, 1536, 1537, 3000, 3400};

void check_bytes(PacketPrograms& programs, const char* program, const Bytes& packet, std::size_t wanted) {
  SCOPED_TRACE(std::string(program) + ", packet of " + std::to_string(packet.size()) + " bytes");
  const auto result = programs.run(program, packet);
  ASSERT_EQ(result.error, 0);
  EXPECT_EQ(result.packet, packet);
  ASSERT_EQ(result.events.size(), 1U);
  const auto& seen = result.events.front();
  EXPECT_EQ(seen.event.packet_size, packet.size());
  EXPECT_EQ(seen.event.captured_size, std::min(wanted, packet.size()));
  EXPECT_EQ(seen.bytes, first_of(packet, wanted));
}

class Snaplen : public testing::TestWithParam<std::tuple<std::uint32_t, sonde_transport>> {};

TEST_P(Snaplen, GivesTheFirstBytesOfThePacket) {
  const auto [snaplen, transport] = GetParam();
  PacketPrograms programs(with_bytes(snaplen, transport));
  for (const auto* program : {"sonde_xdp", "sonde_ingress", "sonde_egress", "sonde_raw_in"})
    for (const auto size : sizes) check_bytes(programs, program, udp_packet(size), snaplen);
  const auto counters = programs.counters();
  EXPECT_EQ(counters.lost, 0U);
  EXPECT_EQ(counters.emitted, counters.taken);
}

INSTANTIATE_TEST_SUITE_P(All, Snaplen,
                         testing::Combine(testing::Values(1U, 12U, 63U, 64U, 65U, 96U, 320U, 1500U, 65'535U),
                                          testing::Values(SONDE_TRANSPORT_RING, SONDE_TRANSPORT_PERF)),
                         [](const auto& instance) {
                           return std::to_string(std::get<0>(instance.param)) +
                                  (std::get<1>(instance.param) == SONDE_TRANSPORT_RING ? "Ring" : "Perf");
                         });

class Headers : public testing::TestWithParam<sonde_transport> {};

TEST_P(Headers, EndBeforeThePayload) {
  PacketPrograms programs(with_bytes(0, GetParam()));
  for (const auto& program : programs_under_test())
    for (const auto& sample : all_samples()) {
      const bool raw = program.link == LinkType::raw_ip;
      if (raw && !is_untagged_ip(sample)) continue;
      const auto one = raw ? without_link_header(sample) : sample;
      if (std::strcmp(program.name, "sonde_xdp") != 0 && refused_for_tc(one.frame)) continue;
      SCOPED_TRACE(one.name);
      const std::size_t headers = one.expected.payload_offset;
      check_bytes(programs, program.name, one.frame, headers);
    }
}

INSTANTIATE_TEST_SUITE_P(Transports, Headers, testing::Values(SONDE_TRANSPORT_RING, SONDE_TRANSPORT_PERF),
                         [](const auto& instance) {
                           return std::string(instance.param == SONDE_TRANSPORT_RING ? "Ring" : "Perf");
                         });

TEST(CaptureBytes, OfJumboFramesInXdpBuffers) {
  for (const auto transport : {SONDE_TRANSPORT_RING, SONDE_TRANSPORT_PERF}) {
    PacketPrograms programs(with_bytes(65'535, transport));
    for (const std::size_t size : {4000, 9000, 16'400, 40'000})
      check_bytes(programs, "sonde_xdp", udp_packet(size), 65'535);
    PacketPrograms short_snaplen(with_bytes(5000, transport));
    check_bytes(short_snaplen, "sonde_xdp", udp_packet(9000), 5000);
  }
}

TEST(CaptureBytes, NoneWithoutBeingAskedFor) {
  for (const auto transport : {SONDE_TRANSPORT_RING, SONDE_TRANSPORT_PERF}) {
    packets::ProgramOptions options;
    options.transport = transport;
    PacketPrograms programs(options);
    for (const auto& program : programs_under_test()) {
      const auto result = programs.run(program.name, udp_packet(200));
      ASSERT_EQ(result.events.size(), 1U);
      EXPECT_EQ(result.events.front().event.captured_size, 0U);
    }
  }
}

TEST(PerfTransport, GivesTheSameEvents) {
  packets::ProgramOptions options;
  options.transport = SONDE_TRANSPORT_PERF;
  PacketPrograms programs(options);
  for (const auto& program : programs_under_test())
    for (const auto& sample : all_samples()) {
      const bool raw = program.link == LinkType::raw_ip;
      if (raw && !is_untagged_ip(sample)) continue;
      const auto one = raw ? without_link_header(sample) : sample;
      SCOPED_TRACE(one.name + " through " + program.name);
      const auto result = programs.run(program.name, one.frame);
      EXPECT_EQ(result.verdict, program.verdict);
      EXPECT_EQ(result.packet, one.frame);
      ASSERT_EQ(result.events.size(), 1U);
      EXPECT_EQ(describe(header_members(result.events.front())), describe(one.expected));
      EXPECT_EQ(result.events.front().event.direction, program.direction);
    }
}

}  // namespace
}  // namespace sonde::test
