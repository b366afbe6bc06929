// SPDX-License-Identifier: Apache-2.0
// How a capture ends: signals, limits, closed pipes, full disks, wrong words, missing privileges; and how soon a
// packet's line is there.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "sonde_program.hpp"

namespace sonde::test {
namespace {

using Clock = std::chrono::steady_clock;

class Signals : public testing::TestWithParam<int> {};

// What was taken before the signal still comes out.
TEST_P(Signals, DrainTheRings) {
  const Pair pair;
  for (const Words& words : {Words{}, Words{"--transport", "perf"}, Words{"--rings", "cpu"}}) {
    Words all = {"-i", "veth0"};
    all.insert(all.end(), words.begin(), words.end());
    const auto seen = capture(
        pair.left, all, [&] { send_frame(pair.right, "veth1", udp_frame(), 5000); }, GetParam());
    EXPECT_EQ(seen.status, 0) << seen.errors;
    EXPECT_EQ(seen.only("udp", "in").size(), 5000U);
    EXPECT_EQ(seen.summary["totals"]["in"]["udp"]["packets"], 5000);
    EXPECT_EQ(seen.summary["loss"]["lost"], 0);
    EXPECT_TRUE(seen.balanced()) << seen.errors;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Signals, testing::Values(SIGINT, SIGTERM, SIGHUP));

TEST(Rings, OneACpuAreMergedByTime) {
  const Pair pair;
  const auto seen = capture(pair.left, {"-i", "veth0", "--rings", "cpu"}, [&] {
    std::jthread other([&] {
      for (int i = 0; i < 40; ++i) send_frame(pair.right, "veth1", udp_frame(), 50);
    });
    for (int i = 0; i < 40; ++i) send_frame(pair.left, "veth0", udp_frame(), 50);
  });
  ASSERT_EQ(seen.packets.size(), 4000U);
  std::size_t backwards = 0;
  for (std::size_t i = 1; i < seen.packets.size(); ++i)
    backwards += seen.packets[i]["time"].get<std::string>() < seen.packets[i - 1]["time"].get<std::string>();
  // A record that is stamped but not yet submitted on one CPU may be overtaken by the other's.
  EXPECT_LE(backwards, 40U);
}

TEST(Limits, Count) {
  const Pair pair;
  for (const std::string count : {"1", "3", "257"}) {
    const auto seen = capture(
        pair.left, {"-i", "veth0", "-c", count}, [&] { send_frame(pair.right, "veth1", udp_frame(), 600); }, 0);
    EXPECT_EQ(seen.status, 0) << seen.errors;
    EXPECT_EQ(seen.packets.size(), std::stoul(count));
    EXPECT_TRUE(seen.balanced()) << seen.errors;
  }
}

TEST(Limits, Duration) {
  const Pair pair;
  const auto start = Clock::now();
  const auto seen = capture(
      pair.left, {"-i", "veth0", "--duration", "300ms"}, [&] { send_frame(pair.right, "veth1", udp_frame(), 5); }, 0);
  EXPECT_EQ(seen.status, 0);
  EXPECT_EQ(seen.packets.size(), 5U);
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds{300});
  EXPECT_GE(seen.summary["duration"].get<double>(), 0.3);
  EXPECT_LT(seen.summary["duration"].get<double>(), 3);
}

TEST(Limits, QuietPrintsNoPackets) {
  const Pair pair;
  const auto seen = capture(pair.left, {"-i", "veth0", "-q"}, [&] { send_frame(pair.right, "veth1", udp_frame(), 5); });
  EXPECT_EQ(seen.output, "");
  EXPECT_EQ(seen.stage("output").at(1), 5U) << seen.errors;
  EXPECT_NE(seen.errors.find("UDP"), std::string::npos);
}

TEST(ClosedPipe, EndsQuietlyAndWell) {
  const Pair pair;
  for (const std::string output : {"text", "json"}) {
    std::string command = "set -o pipefail; ";
    command.append(sonde_path).append(" capture -i veth0 -o ").append(output).append(" | head -n 1");
    Process shell(pair.left, {"bash", "-c", command});
    ASSERT_TRUE(shell.wait_for_error_text("sonde: source"));
    for (int i = 0; i < 200 && shell.wait(std::chrono::milliseconds{20}) < 0; ++i)
      send_frame(pair.right, "veth1", udp_frame());
    EXPECT_EQ(shell.wait(), 0) << shell.errors();
    EXPECT_EQ(lines_of(shell.output()).size(), 1U);
    EXPECT_EQ(shell.errors().find("roken pipe"), std::string::npos) << shell.errors();
    EXPECT_NE(shell.errors().find("the books balance"), std::string::npos) << shell.errors();
  }
}

// A file system of 64 KiB that only this test sees by its path.
class SmallDisk {
 public:
  SmallDisk() : path_(std::filesystem::temp_directory_path() / ("sonde-disk-" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(path_);
    if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64k") != 0) throw std::runtime_error("cannot mount tmpfs");
  }
  ~SmallDisk() {
    ::umount2(path_.c_str(), MNT_DETACH);
    std::filesystem::remove(path_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

TEST(FullDisk, IsAnErrorAndTheFileStaysReadable) {
  const Pair pair;
  for (const std::string format : {"pcapng", "pcap"}) {
    const SmallDisk disk;
    const auto file = disk.file("full." + format);
    Capturing capturing(pair.left, {"-i", "veth0", "-w", file, "--format", format});
    for (int i = 0; i < 100 && capturing.process().wait(std::chrono::milliseconds{50}) < 0; ++i)
      send_frame(pair.right, "veth1", udp_frame(53, 1000), 20);
    const auto end = capturing.end(0);
    EXPECT_EQ(end.status, 1) << end.errors;
    EXPECT_NE(end.errors.find("No space left on device"), std::string::npos) << end.errors;
    EXPECT_TRUE(end.balanced()) << end.errors;
    const auto rows = tshark_rows(file, {"frame.len"});
    EXPECT_GT(rows.size(), 10U);
    EXPECT_EQ(rows.size(), end.stage("output").at(1)) << end.errors;
    for (const auto& row : rows) EXPECT_EQ(row[0], std::to_string(udp_frame(53, 1000).size()));
    run("tcpdump -r " + file + " -w /dev/null 2>&1");
  }
}

// At low rates a packet's line is there within 50 ms; the bound here is for a busy machine.
TEST(Latency, OfASinglePacket) {
  const Pair pair;
  Capturing capturing(pair.left, {"-i", "veth0", "-o", "text", "--protocol", "udp"});
  std::vector<double> milliseconds;
  for (std::uint16_t port = 20'000; port < 20'015; ++port) {
    std::this_thread::sleep_for(std::chrono::milliseconds{23});
    const auto start = Clock::now();
    send_frame(pair.right, "veth1", udp_frame(port));
    ASSERT_TRUE(capturing.process().wait_for_output_text(std::to_string(port))) << capturing.process().output();
    milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::ranges::sort(milliseconds);
  EXPECT_LT(milliseconds[milliseconds.size() / 2], 200);
  EXPECT_EQ(capturing.end().status, 0);
}

struct Wrong {
  Words words;
  std::string named;
};

TEST(ExitStatus, OfWrongWordsIsTwoAndTheyAreNamed) {
  const NetworkNamespace where;
  const std::vector<Wrong> table = {
      {{"-i", "nosuch0"}, "'nosuch0'; there are: lo, any"},
      {{"-i", "lo", "--port", "70000"}, "70000"},
      {{"-i", "lo", "--src-port", "80-"}, "80-"},
      {{"-i", "lo", "--src-ip", "10.0.0.300"}, "10.0.0.300"},
      {{"-i", "lo", "--dst-ip", "10.0.0.0/33"}, "10.0.0.0/33"},
      {{"-i", "lo", "--protocol", "tpc"}, "tpc"},
      {{"-i", "lo", "--direction", "up"}, "up"},
      {{"-i", "lo", "--min-size", "-1"}, "-1"},
      {{"-i", "lo", "--duration", "soon"}, "soon"},
      {{"-i", "lo", "-o", "xml"}, "xml"},
      {{"-i", "lo", "--format", "snoop", "-w", "/dev/null"}, "snoop"},
      {{"-i", "lo", "--xdp-mode", "offload"}, "offload"},
      {{"-i", "lo", "--transport", "pipe"}, "pipe"},
      {{"-i", "lo", "--rings", "3"}, "3"},
      {{"-i", "lo", "--source", "magic"}, "magic"},
      {{"-i", "lo", "--color", "red"}, "red"},
      {{"-i", "lo", "-c", "0"}, "-c '0'"},
      {{"-i", "lo", "--snaplen", "65536"}, "65536"},
      {{"-i", "lo", "--nosuch"}, "--nosuch"},
      {{"-i", "lo", "tcp", "prot", "80"}, "prot"},
      {{"-i", "lo", "--source", "afpacket", "--rings", "2"}, "--rings"},
  };
  for (const auto& row : table) {
    Words words = {"capture", "--duration", "5s"};
    if (std::ranges::find(row.words, "--duration") != row.words.end()) words.resize(1);
    words.insert(words.end(), row.words.begin(), row.words.end());
    const auto end = run_sonde(where, words);
    EXPECT_EQ(end.status, 2) << row.named << "\n" << end.errors;
    EXPECT_NE(end.errors.find(row.named), std::string::npos) << row.named << " in\n" << end.errors;
    EXPECT_EQ(end.output, "");
  }
}

TEST(ExitStatus, OfFailuresIsOne) {
  const NetworkNamespace where;
  const auto missing = run_sonde(where, {"capture", "-r", "/nosuch/file.pcap"});
  EXPECT_EQ(missing.status, 1) << missing.errors;
  EXPECT_NE(missing.errors.find("/nosuch/file.pcap"), std::string::npos) << missing.errors;
  const auto unwritable =
      run_sonde(where, {"capture", "-i", "lo", "-w", "/nosuch/folder/file.pcapng", "--duration", "1s"});
  EXPECT_EQ(unwritable.status, 1) << unwritable.errors;
  EXPECT_NE(unwritable.errors.find("/nosuch/folder/file.pcapng"), std::string::npos) << unwritable.errors;
}

TEST(ExitStatus, WithoutPrivilegesIsThree) {
  const NetworkNamespace where;
  // A copy that an unprivileged user may run, wherever the build folder lies.
  const auto folder = std::filesystem::temp_directory_path() / ("sonde-unprivileged-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  where.run("cp " + sonde_path + " " + folder.string() + "/sonde; cp -L $(ldd " + sonde_path +
            " | awk '/libsonde/ {print $3}') " + folder.string() + "/; chmod -R a+rX " + folder.string());
  Process process(where,
                  {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env",
                   "LD_LIBRARY_PATH=" + folder.string(), folder / "sonde", "capture", "-i", "lo", "--duration", "1s"});
  EXPECT_EQ(process.wait(), 3) << process.errors();
  EXPECT_NE(process.errors().find("Operation not permitted"), std::string::npos) << process.errors();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sonde::test
