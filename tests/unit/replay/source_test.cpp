// SPDX-License-Identifier: Apache-2.0
// Files as a pipeline source: filter, snaplen, pipes, the ledger.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.hpp"
#include "capture_file.hpp"

namespace sonde::test {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

std::string many_packets(std::size_t count) {
  std::string file = pcap_header(false, false, 1);
  for (std::size_t i = 0; i < count; ++i) {
    const auto frame = udp_frame(static_cast<std::uint16_t>(i), i % 1400);
    file += pcap_record(false, static_cast<std::uint32_t>(i), 0, frame, static_cast<std::uint32_t>(frame.size()));
  }
  return file;
}

TEST(FileSource, PacketsAcrossBufferBoundaries) {
  constexpr std::size_t count = 10'000;  // 7 MB
  const auto replayed = replay_bytes(many_packets(count));
  ASSERT_FALSE(replayed.collected.error);
  ASSERT_EQ(replayed.collected.packets.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& packet = replayed.collected.packets[i];
    const auto frame = udp_frame(static_cast<std::uint16_t>(i), i % 1400);
    ASSERT_EQ(std::string(packet.bytes.begin(), packet.bytes.end()), frame) << i;
  }
}

TEST(FileSource, FilteredPacketsAreCounted) {
  FilterOptions filter;
  filter.source_ports = {"100-199"};
  const auto replayed = replay_bytes(many_packets(1000), filter);
  EXPECT_EQ(replayed.collected.packets.size(), 100U);
  ASSERT_EQ(replayed.loss.size(), 2U);
  EXPECT_EQ(replayed.loss[0].name, "file");
  EXPECT_EQ(replayed.loss[0].taken, 1000U);
  EXPECT_EQ(replayed.loss[0].given, 1000U);
  EXPECT_EQ(replayed.loss[1].name, "filter");
  EXPECT_EQ(replayed.loss[1].given, 100U);
  EXPECT_EQ(replayed.loss[1].filtered, 900U);
  EXPECT_TRUE(LossReport{replayed.loss}.balanced());
}

TEST(FileSource, ExpressionSeesBytesBeyondTheSnaplen) {
  FilterOptions filter;
  filter.expression = "udp[11] = 0x78";  // a byte of the payload
  const auto replayed = replay_bytes(many_packets(10), filter, 0);
  EXPECT_EQ(replayed.collected.packets.size(), 6U);  // those with four bytes of payload or more
}

TEST(FileSource, SnaplenCutsAndZeroKeepsTheHeaders) {
  const auto file = pcap_header(false, false, 1) + pcap_record(false, 1, 0, udp_frame(1, 100), 142);
  EXPECT_EQ(replay_bytes(file, {}, 0).collected.packets.at(0).bytes.size(), 42U);
  EXPECT_EQ(replay_bytes(file, {}, 50).collected.packets.at(0).bytes.size(), 50U);
  EXPECT_EQ(replay_bytes(file, {}, 500).collected.packets.at(0).bytes.size(), 142U);
  EXPECT_EQ(replay_bytes(file, {}, 50).collected.packets.at(0).event.packet_size, 142U);
  EXPECT_EQ(replay_bytes(file, {}, 50).collected.packets.at(0).event.payload_size, 100U);
}

TEST(FileSource, MissingFileAndFolder) {
  const auto missing = replay_file("/nonexistent/x.pcap").collected.error;
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->code, ENOENT);
  EXPECT_THAT(missing->message, HasSubstr("/nonexistent/x.pcap"));
  const auto folder = replay_file("/tmp").collected.error;
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->code, EISDIR);
}

TEST(FileSource, StopEndsIt) {
  const TemporaryFile file(".pcap");
  file.write(many_packets(1000));
  auto source = replay::open_file(file.path(), {.filter = *filter::compile({}), .snaplen = 0});
  ASSERT_TRUE(source);
  pipeline::PacketBatch batch;
  ASSERT_TRUE((*source)->read(batch, milliseconds{10}));
  EXPECT_EQ(batch.size, pipeline::PacketBatch::capacity);
  EXPECT_FALSE((*source)->finished());
  ASSERT_TRUE((*source)->stop());
  EXPECT_TRUE((*source)->finished());
  EXPECT_EQ((*source)->loss()[1].given, batch.size);
  EXPECT_TRUE(balanced(**source));
}

// Standard input as a pipe that is fed by hand.
class Pipe {
 public:
  Pipe() : saved_(::dup(STDIN_FILENO)) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
    writer_.reset(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() { ::dup2(saved_.get(), STDIN_FILENO); }
  void write(const std::string& bytes) {
    EXPECT_EQ(::write(writer_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  void close() { writer_.reset(); }

 private:
  Fd saved_;
  Fd writer_;
};

TEST(FileSource, LivePipeGivesEachPacketWhenItIsWhole) {
  Pipe pipe;
  auto source = replay::open_file("-", {.filter = *filter::compile({}), .snaplen = 0});
  ASSERT_TRUE(source);
  pipeline::PacketBatch batch;
  ASSERT_TRUE((*source)->read(batch, milliseconds{1}));  // not even a header yet
  EXPECT_EQ(batch.size, 0U);
  const auto frame = udp_frame(1);
  const auto file =
      pcap_header(false, false, 1) + pcap_record(false, 1, 0, frame, 46) + pcap_record(false, 2, 0, frame, 46);
  for (std::size_t i = 0; i < file.size(); ++i) {
    pipe.write(file.substr(i, 1));
    ASSERT_TRUE((*source)->read(batch, milliseconds{1}));
    EXPECT_EQ(batch.size, i == file.size() - 1 || i + 1 + 62 == file.size() ? 1U : 0U) << i;
    EXPECT_FALSE((*source)->finished());
  }
  pipe.close();
  ASSERT_TRUE((*source)->read(batch, milliseconds{1}));
  EXPECT_TRUE((*source)->finished());
  EXPECT_TRUE(balanced(**source));
}

}  // namespace
}  // namespace sonde::test
