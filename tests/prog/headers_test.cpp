// SPDX-License-Identifier: Apache-2.0
// Each program of sonde, each kind of packet: the event, the verdict, the packet that comes out.
#include <gtest/gtest.h>

#include <cstring>

#include "filter_packets.hpp"
#include "packet_programs.hpp"
#include "packet_samples.hpp"

namespace sonde::test {
namespace {

bool refused(const ProgramUnderTest& program, const RunResult& result, const Bytes& packet) {
  return result.error == EINVAL &&
         (std::strcmp(program.name, "sonde_xdp") == 0 ? packet.size() <= 14 : refused_for_tc(packet));
}

void check_untouched(const ProgramUnderTest& program, const Bytes& packet, const RunResult& result) {
  EXPECT_EQ(result.verdict, program.verdict);
  EXPECT_EQ(result.packet, packet);
}

// False: this kernel cannot make the packet.
bool check(PacketPrograms& programs, const ProgramUnderTest& program, const Bytes& packet,
           const sonde_packet_event& expected) {
  const auto result = programs.run(program.name, packet);
  if (refused(program, result, packet)) return false;
  EXPECT_EQ(result.error, 0) << packet.size() << " bytes";
  check_untouched(program, packet, result);
  EXPECT_EQ(result.events.size(), 1U);
  if (result.events.size() != 1) return true;
  const auto& event = result.events.front().event;
  EXPECT_EQ(describe(header_members(result.events.front())), describe(expected));
  EXPECT_EQ(event.header.len, sizeof(event));
  EXPECT_EQ(event.header.type, SONDE_EVENT_PACKET);
  EXPECT_EQ(event.header.ifindex, 1U) << "BPF_PROG_TEST_RUN uses the namespace's lo";
  EXPECT_GT(event.header.ts_ns, 0U);
  EXPECT_EQ(event.direction, program.direction);
  EXPECT_EQ(event.captured_size, 0U);
  return true;
}

TEST(PacketHeaders, AreWhatTheTableAndUserSpaceSay) {
  PacketPrograms programs;
  for (const auto& program : programs_under_test())
    for (const auto& sample : all_samples()) {
      const bool raw = program.link == LinkType::raw_ip;
      if (raw && !is_untagged_ip(sample)) continue;
      const auto one = raw ? without_link_header(sample) : sample;
      SCOPED_TRACE(one.name + " through " + program.name);
      EXPECT_EQ(describe(parsed(one.frame, program.link)), describe(one.expected)) << "user space";
      EXPECT_TRUE(check(programs, program, one.frame, one.expected)) << "refused";
    }
}

// Where a packet that was cut tells that it ends. Only for transports with a header that is known.
std::uint8_t status_when_cut(const Sample& sample, std::size_t size) {
  const auto& whole = sample.expected;
  const std::size_t network = whole.network_offset + (whole.flags & SONDE_PACKET_IPV4 ? 20U : 40U);
  if (size < whole.network_offset) return SONDE_PARSE_TRUNCATED_LINK;
  if (size < network) return SONDE_PARSE_TRUNCATED_NETWORK;
  return size < whole.payload_offset ? SONDE_PARSE_TRUNCATED_TRANSPORT : SONDE_PARSE_TRUNCATED_PAYLOAD;
}

bool has_known_transport(const Sample& sample) {
  const auto& event = sample.expected;
  const std::size_t network = event.network_offset + (event.flags & SONDE_PACKET_IPV4 ? 20U : 40U);
  return event.status == SONDE_PARSE_OK && event.payload_offset > network;
}

TEST(PacketHeaders, EveryTransportCutAtEveryLength) {
  PacketPrograms programs;
  std::size_t checked = 0;
  for (const auto& program : programs_under_test())
    for (const auto& sample : transport_samples()) {
      if (!has_known_transport(sample)) continue;
      const auto one = program.link == LinkType::raw_ip ? without_link_header(sample) : sample;
      SCOPED_TRACE(one.name + " through " + program.name);
      for (std::size_t size = 15; size < std::min<std::size_t>(one.frame.size(), 120); ++size) {
        const auto cut = first_of(one.frame, size);
        const auto expected = parsed(cut, program.link);
        EXPECT_EQ(expected.status, status_when_cut(one, size)) << size << " bytes";
        if (check(programs, program, cut, expected)) ++checked;
      }
    }
  EXPECT_GT(checked, 5000U);
}

TEST(PacketHeaders, EveryNetworkSampleCutAtEveryLength) {
  PacketPrograms programs;
  std::size_t checked = 0;
  for (const auto& program : programs_under_test())
    for (const auto& sample : network_samples()) {
      const bool raw = program.link == LinkType::raw_ip;
      if (raw && !is_untagged_ip(sample)) continue;
      const auto one = raw ? without_link_header(sample) : sample;
      SCOPED_TRACE(one.name + " through " + program.name);
      for (std::size_t size = 15; size < std::min<std::size_t>(one.frame.size(), 200); ++size) {
        const auto cut = first_of(one.frame, size);
        if (check(programs, program, cut, parsed(cut, program.link))) ++checked;
      }
    }
  EXPECT_GT(checked, 20000U);
}

TEST(PacketHeaders, RandomPacketsReadAsInUserSpace) {
  PacketPrograms programs;
  Random random(20260101);
  std::size_t checked = 0;
  for (int i = 0; i < 8000; ++i) {
    const auto packet = random_packet(random);
    for (const auto& program : programs_under_test()) {
      SCOPED_TRACE("packet " + std::to_string(i) + " through " + program.name);
      if (check(programs, program, packet, parsed(packet, program.link))) ++checked;
      if (testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(checked, 30000U) << "too many were refused";
}

// Bytes of the samples changed at random: lengths, versions, next headers, data offsets that contradict each other.
TEST(PacketHeaders, MutatedSamplesReadAsInUserSpace) {
  PacketPrograms programs;
  Random random(20260202);
  const auto samples = all_samples();
  for (int i = 0; i < 8000; ++i) {
    const auto& sample = samples[below(random, samples.size())];
    for (const auto& program : programs_under_test()) {
      const bool raw = program.link == LinkType::raw_ip;
      auto packet = raw && is_untagged_ip(sample) ? without_link_header(sample).frame : sample.frame;
      for (auto changes = 1 + below(random, 4); changes > 0; --changes)
        packet[below(random, std::min<std::size_t>(packet.size(), 140))] = static_cast<std::uint8_t>(random());
      SCOPED_TRACE(sample.name + " through " + program.name + ", round " + std::to_string(i));
      check(programs, program, packet, parsed(packet, program.link));
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(PacketHeaders, JumboFramesGoThroughXdp) {
  PacketPrograms programs;
  const auto packet = ethernet({}, ipv4({.protocol = 17}, udp({}, counting(8900))));
  const auto result = programs.run("sonde_xdp", packet);
  ASSERT_EQ(result.error, 0);
  EXPECT_EQ(result.packet, packet);
  ASSERT_EQ(result.events.size(), 1U);
  EXPECT_EQ(describe(header_members(result.events.front())), describe(parsed(packet, LinkType::ethernet)));
}

// An XDP test packet has a page, less headroom and skb_shared_info, of linear bytes (net/bpf/test_run.c); the rest lies
// in fragments, as with jumbo frames of real drivers, and cannot be read in place.
TEST(PacketHeaders, HeadersInFragmentsOfAnXdpBufferAreSnapped) {
  PacketPrograms programs;
  Bytes chain = udp({}, counting(9));
  for (int i = 0; i < 3; ++i) chain = extension(60, i == 0 ? 17 : 60, 2048, chain);
  const auto packet = ethernet({.type = ether_ipv6}, ipv6({.next = 60}, chain));
  const auto result = programs.run("sonde_xdp", packet);
  ASSERT_EQ(result.error, 0);
  EXPECT_EQ(result.packet, packet);
  ASSERT_EQ(result.events.size(), 1U);
  EXPECT_EQ(result.events.front().event.status, SONDE_PARSE_SNAPPED);
  EXPECT_EQ(result.events.front().event.packet_size, packet.size());
}

}  // namespace
}  // namespace sonde::test
