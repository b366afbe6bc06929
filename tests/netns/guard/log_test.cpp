// SPDX-License-Identifier: Apache-2.0
// What the guard tells of packets as it drops them; tshark reads the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "guarded.hpp"

namespace sonde::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> log_words(std::vector<std::string> words) {
  words.insert(words.begin(), {SONDE_PROGRAM, "guard", "log"});
  return words;
}

void send(const GuardedPair& guarded, std::size_t blocked, std::size_t passed) {
  send_frame(guarded.pair.left, "veth0", udp_frame({10, 9, 0, 66}, 1000), blocked);
  send_frame(guarded.pair.left, "veth0", udp_frame({10, 9, 0, 1}, 1000), passed);
}

TEST(guard_log, lines_are_the_packets_that_were_dropped) {
  const GuardedPair guarded;
  guarded.run("block 10.9.0.66");
  guarded.run("block 10.9.0.1 --dry-run");
  Process log(guarded.pair.right, log_words({}));
  ASSERT_TRUE(log.wait_for_error_text("as packets are dropped"));
  send(guarded, 30, 20);
  ASSERT_TRUE(log.wait_for_output_text("dry-run"));
  log.signal(SIGINT);
  EXPECT_EQ(log.wait(), 0) << log.errors();
  const auto lines = lines_of(log.output());
  EXPECT_EQ(std::ranges::count_if(
                lines, [](const auto& line) { return line.find(" dropped-block rule 1 veth1") != std::string::npos; }),
            30);
  EXPECT_EQ(std::ranges::count_if(
                lines,
                [](const auto& line) { return line.find(" dry-run dropped-block rule 2 veth1") != std::string::npos; }),
            20);
  EXPECT_THAT(lines[0], HasSubstr("IP 10.9.0.66.40000 > 10.9.0.2.1000: UDP"));
  EXPECT_THAT(log.errors(), HasSubstr("50 packets"));
  EXPECT_THAT(log.errors(), Not(HasSubstr("not balance")));
}

TEST(guard_log, json_lines_and_rules_that_are_asked_for) {
  const GuardedPair guarded;
  guarded.run("block 10.9.0.66 10.9.0.67");
  guarded.run("allow 10.9.0.1");
  Process log(guarded.pair.right, log_words({"-o", "json", "--rule", "2,3", "--verdict", "block,allow", "-c", "7"}));
  ASSERT_TRUE(log.wait_for_error_text("as packets are dropped"));
  send_frame(guarded.pair.left, "veth0", udp_frame({10, 9, 0, 67}, 1000), 4);
  send(guarded, 5, 3);
  EXPECT_EQ(log.wait(), 0) << log.errors();
  const auto lines = lines_of(log.output());
  ASSERT_EQ(lines.size(), 7U);
  int allowed = 0;
  for (const auto& line : lines) {
    const auto event = nlohmann::json::parse(line);
    EXPECT_EQ(event["type"], "guard");
    EXPECT_EQ(event["interface"], "veth1");
    EXPECT_EQ(event["direction"], "in");
    EXPECT_EQ(event["destination_port"], 1000);
    const bool allow = event["rule"] == 3;
    EXPECT_EQ(event["outcome"], allow ? "passed-allow" : "dropped-block");
    EXPECT_EQ(event["source"], allow ? "10.9.0.1" : "10.9.0.67");
    allowed += allow ? 1 : 0;
  }
  EXPECT_EQ(allowed, 3);
}

TEST(guard_log, the_file_holds_what_was_dropped_and_tshark_reads_it) {
  const GuardedPair guarded;
  guarded.run("block 10.9.0.66");
  guarded.run("block any --dst-port 5353 --direction out");
  const TemporaryFile file(".pcapng");
  Process log(guarded.pair.right, log_words({"-w", file.path(), "-o", "none", "--verdict", "block,allow", "-c", "12"}));
  ASSERT_TRUE(log.wait_for_error_text("as packets are dropped"));
  send(guarded, 11, 5);
  EXPECT_FALSE(guarded.leaves(5353));
  EXPECT_EQ(log.wait(), 0) << log.errors();
  const auto read = run("tshark -r " + file.path() +
                        " -T fields -e frame.interface_name -e ip.src -e udp.dstport -e frame.len -e "
                        "frame.packet_flags_direction 2>/dev/null | sort | uniq -c");
  const auto lines = lines_of(read);
  ASSERT_EQ(lines.size(), 2U) << read;
  EXPECT_THAT(read, HasSubstr("11 veth1\t10.9.0.66\t1000\t74"));
  EXPECT_THAT(read, HasSubstr("1 veth1\t10.9.0.2\t5353"));
}

TEST(guard_log, samples_and_losses_are_in_the_books) {
  const GuardedPair guarded;
  guarded.run("block 10.9.0.66");
  Process log(guarded.pair.right, log_words({"--sample", "10"}));
  ASSERT_TRUE(log.wait_for_error_text("as packets are dropped"));
  send(guarded, 2000, 0);
  ASSERT_TRUE(log.wait_for_output_text("dropped-block"));
  log.signal(SIGINT);
  EXPECT_EQ(log.wait(), 0);
  const auto shown = lines_of(log.output()).size();
  EXPECT_GT(shown, 100U);
  EXPECT_LT(shown, 320U);
  // guard: taken, given, filtered, lost
  const auto line = run("printf '%s' '" + log.errors() + "' | grep ' guard ' | tr -s ' '");
  EXPECT_THAT(line, HasSubstr("guard 2000 " + std::to_string(shown) + " " + std::to_string(2000 - shown) + " 0"));
}

TEST(guard_log, one_reader_at_a_time_and_a_killed_one_is_none) {
  const GuardedPair guarded;
  guarded.run("block 10.9.0.66");
  {
    Process log(guarded.pair.right, log_words({}));
    ASSERT_TRUE(log.wait_for_error_text("as packets are dropped"));
    EXPECT_THAT(guarded.run("log -c 1", 1).errors, HasSubstr("another"));
    send(guarded, 100, 0);
    log.signal(SIGKILL);
    log.wait();
  }
  Process log(guarded.pair.right, log_words({"-c", "3"}));
  ASSERT_TRUE(log.wait_for_error_text("as packets are dropped"));
  send(guarded, 3, 0);
  EXPECT_EQ(log.wait(), 0) << log.errors();
  EXPECT_EQ(lines_of(log.output()).size(), 3U);
}

TEST(guard_log, ends_when_the_guard_is_detached) {
  const GuardedPair guarded;
  Process log(guarded.pair.right, log_words({}));
  ASSERT_TRUE(log.wait_for_error_text("as packets are dropped"));
  guarded.run("detach");
  EXPECT_EQ(log.wait(), 1);
  EXPECT_THAT(log.errors(), HasSubstr("detached"));
}

}  // namespace
}  // namespace sonde::test
