// SPDX-License-Identifier: Apache-2.0
// The programs only look: what arrives is what was sent, with sonde on both ends as without. And real skbs read as the
// table of packets says.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstring>

#include "harness/collect.hpp"
#include "prog/packet_samples.hpp"
#include "sensors/packets/packets.hpp"
#include "sonde_program.hpp"

namespace sonde::test {
namespace {

std::vector<Bytes> all_frames() {
  std::vector<Bytes> frames;
  for (const auto& sample : all_samples())
    if (sample.frame.size() <= 1514) frames.push_back(sample.frame);
  return frames;
}

std::vector<std::string> packets_of(const std::string& pcap) {
  std::vector<std::string> packets;
  for (std::size_t at = 24; at + 16 <= pcap.size();) {
    std::uint32_t size = 0;
    std::memcpy(&size, pcap.data() + at + 8, sizeof(size));
    packets.push_back(pcap.substr(at + 16, size));
    at += 16 + size;
  }
  return packets;
}

// What tcpdump at the receiver writes, without file header and times.
std::vector<std::string> received(const Pair& pair, const std::vector<Bytes>& frames) {
  const TemporaryFile file(".pcap");
  Process tcpdump(pair.right, {"tcpdump", "-i", "veth1", "-Q", "in", "-U", "--immediate-mode", "-s", "2048", "-B",
                               "8192", "-w", file.path()});
  EXPECT_TRUE(tcpdump.wait_for_error_text("listening on"));
  send_frames(pair.left, "veth0", frames);
  for (int i = 0; i < 500 && packets_of(read_file(file.path())).size() < frames.size(); ++i) ::usleep(10'000);
  tcpdump.signal(SIGINT);
  EXPECT_EQ(tcpdump.wait(), 0);
  return packets_of(read_file(file.path()));
}

class Untouched : public testing::TestWithParam<Words> {};

TEST_P(Untouched, ByteByByte) {
  const Pair pair;
  const auto frames = all_frames();
  const auto without = received(pair, frames);
  Words words = {"-q"};
  words.insert(words.end(), GetParam().begin(), GetParam().end());
  auto left_words = words;
  left_words.insert(left_words.end(), {"-i", "veth0"});
  words.insert(words.end(), {"-i", "veth1"});
  Capturing left(pair.left, left_words);
  Capturing right(pair.right, words);
  const auto with = received(pair, frames);
  EXPECT_EQ(with.size(), frames.size());
  EXPECT_EQ(without.size(), frames.size());
  EXPECT_TRUE(with == without) << "packets differ";
  for (auto* capturing : {&left, &right}) {
    const auto end = capturing->end();
    EXPECT_EQ(end.stage("hook").at(0), frames.size()) << end.errors;
    EXPECT_TRUE(end.balanced());
  }
}

INSTANTIATE_TEST_SUITE_P(Hooks, Untouched,
                         testing::Values(Words{}, Words{"--xdp-mode", "native"}, Words{"--xdp-mode", "generic"},
                                         Words{"--transport", "perf"}));

sonde_packet_event header_members(const SeenPacket& seen) {
  auto event = seen.event;
  event.header = {};
  event.captured_size = event.segments = event.direction = 0;
  return event;
}

void compare(const SeenPacket& seen, const Sample& sample) {
  SCOPED_TRACE(sample.name);
  const auto event = header_members(seen);
  EXPECT_EQ(std::memcmp(&event, &sample.expected, sizeof(event)), 0);
  EXPECT_EQ(event.status, sample.expected.status);
  EXPECT_EQ(event.payload_offset, sample.expected.payload_offset);
  EXPECT_EQ(event.payload_size, sample.expected.payload_size);
  EXPECT_EQ(event.packet_size, sample.expected.packet_size);
  EXPECT_EQ(event.flags, sample.expected.flags);
  EXPECT_EQ(seen.bytes, sample.frame);
}

class RealPackets : public testing::TestWithParam<packets::XdpChoice> {};

TEST_P(RealPackets, ReadAsTheTableSays) {
  const Pair pair;
  std::vector<Sample> samples;
  for (const auto& sample : all_samples())
    if (sample.frame.size() <= 1514) samples.push_back(sample);
  packets::PacketsOptions options;
  options.interfaces = {"veth1"};
  options.program.filter.fields = std::make_shared<sonde_filter>();
  options.program.capture_bytes = true;
  options.program.snaplen = 65'535;
  options.attach.xdp = GetParam();
  std::unique_ptr<pipeline::Source> source;
  pair.right.call([&] {
    auto opened = packets::open(options);
    if (!opened) throw std::runtime_error(opened.error().text());
    source = std::move(*opened);
  });
  for (const auto& sample : samples) send_frame(pair.left, "veth0", sample.frame);
  const auto seen = stop_and_drain(*source);
  std::vector<const SeenPacket*> in;
  for (const auto& packet : seen.packets)  // the receiver may answer echo requests and unreachable ports
    if (packet.event.direction == SONDE_DIRECTION_IN) in.push_back(&packet);
  ASSERT_EQ(in.size(), samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) compare(*in[i], samples[i]);
  EXPECT_TRUE(balanced(*source));
}

INSTANTIATE_TEST_SUITE_P(Hooks, RealPackets,
                         testing::Values(packets::XdpChoice::off, packets::XdpChoice::native,
                                         packets::XdpChoice::generic));

}  // namespace
}  // namespace sonde::test
