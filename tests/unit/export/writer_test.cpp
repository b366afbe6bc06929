// SPDX-License-Identifier: Apache-2.0
// What is left when the output fails: closed pipes, full disks, limits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "harness/command.hpp"
#include "samples.hpp"

namespace sonde::exporter {
namespace {

using test::run;

// Writes the samples again and again until the sink fails.
Error write_until_failure(pipeline::Sink& sink) {
  const test::Capture capture = test::ethernet_samples();
  for (int round = 0; round < 100'000; ++round) {
    if (Result<void> result = sink.write(capture.packets, capture.interfaces); !result) return result.error();
  }
  return {};
}

void limit_file_size(rlim_t size) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{size, RLIM_INFINITY};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(Writer, FullDeviceIsEnospc) {
  const auto sink = make_text_sink(std::move(*open_output("/dev/full")), {});
  EXPECT_EQ(write_until_failure(*sink).code, ENOSPC);
  EXPECT_EQ(sink->written(), 0U);
  EXPECT_FALSE(sink->flush()) << "the error stays";
  EXPECT_FALSE(sink->finish({}));
}

TEST(Writer, ClosedPipeIsEpipe) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const auto sink = make_json_sink({Fd(ends[1]), "standard output"}, {});
  const Error error = write_until_failure(*sink);
  EXPECT_EQ(error.code, EPIPE);
  EXPECT_EQ(error.message, "write standard output");
  EXPECT_EQ(sink->written(), 0U);
}

TEST(Writer, NonBlockingPipeIsWaitedFor) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  std::size_t lines = 0;
  std::thread reader([&lines, fd = ends[0]] {
    ::fcntl(fd, F_SETFL, 0);
    char buffer[4096];
    for (ssize_t size; (size = ::read(fd, buffer, sizeof(buffer))) > 0;) {
      lines += static_cast<std::size_t>(std::count(buffer, buffer + size, '\n'));
    }
  });
  const test::Capture capture = test::ethernet_samples();
  auto sink = make_text_sink({Fd(ends[1]), "pipe"}, {});
  for (int round = 0; round < 1000; ++round) ASSERT_TRUE(sink->write(capture.packets, capture.interfaces));
  ASSERT_TRUE(sink->finish({}));
  EXPECT_EQ(sink->written(), 1000 * capture.packets.size());
  sink.reset();
  reader.join();
  EXPECT_EQ(lines, 1000 * capture.packets.size());
  ::close(ends[0]);
}

// Limits that end inside a block at every alignment.
TEST(Writer, FileLimitLeavesWholePcapngBlocks) {
  for (rlim_t size = 400'000; size < 400'040; size += 3) {
    const test::TemporaryFile file(".pcapng");
    const auto sink = make_pcapng_sink(std::move(*open_output(file.path())), {});
    limit_file_size(size);
    EXPECT_EQ(write_until_failure(*sink).code, EFBIG);
    limit_file_size(RLIM_INFINITY);
    EXPECT_GT(sink->written(), 0U);
    EXPECT_LE(test::read_file(file.path()).size(), size);
    EXPECT_EQ(test::lines_of(run("tcpdump -nn -t -r " + file.path() + " --count 2>/dev/null")).at(0),
              std::to_string(sink->written()) + " packets");
  }
}

TEST(Writer, FileLimitLeavesWholeLines) {
  const test::TemporaryFile file(".txt");
  const auto sink = make_text_sink(std::move(*open_output(file.path())), {});
  limit_file_size(300'001);
  EXPECT_EQ(write_until_failure(*sink).code, EFBIG);
  limit_file_size(RLIM_INFINITY);
  const std::string text = test::read_file(file.path());
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(static_cast<std::uint64_t>(std::ranges::count(text, '\n')), sink->written());
}

TEST(Writer, UnitsLargerThanTheBuffer) {
  test::Capture capture;
  capture.interfaces[1] = {"eth0", LinkType::ethernet};
  for (int i = 0; i < 3; ++i) capture.add(test::ethernet(0x88cc, test::Buffer(65'000, 7)), 1, SONDE_DIRECTION_IN);
  const std::string text = test::output_of(capture, [](Output output) { return make_hex_sink(std::move(output), {}); });
  EXPECT_EQ(test::lines_of(text).size(), 3U * (1 + (65'014 + 15) / 16));
}

TEST(OpenOutput, NamesThePath) {
  const Result<Output> output = open_output("/nonexistent/file");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ENOENT);
  EXPECT_EQ(output.error().message, "create /nonexistent/file");
}

}  // namespace
}  // namespace sonde::exporter
