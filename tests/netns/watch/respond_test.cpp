// SPDX-License-Identifier: Apache-2.0
// --respond block on a real guard, and --evidence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "watch_program.hpp"

namespace sonde::test {
namespace {

using testing::HasSubstr;

class Responses : public testing::Test {
 protected:
  ~Responses() override { run_sonde(pair.right, {"guard", "detach"}); }

  static std::string scan_command(const std::string& target) {
    return "nmap -n -Pn --disable-arp-ping -sS -T4 --max-retries 1 --host-timeout 20s -p 1-3000 --max-rate 300 " +
           target;
  }
  const Pair pair;
};

TEST_F(Responses, BlockDropsTheScannerOnceAndTheEventGoesOn) {
  Watching watching(pair.right, {"-i", "veth1", "--respond", "block", "--ttl", "5m"});
  Process nmap(pair.left, {"bash", "-c", scan_command("10.9.0.2")});
  ASSERT_TRUE(watching.wait_for_events("port-scan", 1)) << watching.process().errors();
  std::this_thread::sleep_for(std::chrono::seconds{3});
  const auto rules = run_sonde(pair.right, {"guard", "list"});
  EXPECT_THAT(rules.output, testing::ContainsRegex("block +10.9.0.1 "));
  EXPECT_THROW(pair.left.run("ping -c 1 -W 1 10.9.0.2"), std::runtime_error);
  nmap.signal(SIGTERM);
  nmap.wait();
  const auto watched = watching.end();
  EXPECT_EQ(watched.status, 0) << watched.errors;
  const auto events = watched.started();
  ASSERT_EQ(events.size(), 1U) << watched.output;
  EXPECT_THAT(events[0]["action"].get<std::string>(), HasSubstr("blocked 10.9.0.1 by rule"));
  const auto undo = events[0]["undo"].get<std::string>();
  EXPECT_EQ(watched.summary["blocked"], 1);
  ASSERT_THAT(undo, HasSubstr("sonde guard remove "));
  EXPECT_EQ(run_sonde(pair.right, {"guard", "remove", undo.substr(undo.rfind(' ') + 1)}).status, 0);
  pair.left.run("ping -c 1 -W 1 10.9.0.2");
}

TEST_F(Responses, DryRunOnlyCounts) {
  Watching watching(pair.right, {"-i", "veth1", "--respond", "block", "--respond-dry-run"});
  Process nmap(pair.left, {"bash", "-c", scan_command("10.9.0.2")});
  ASSERT_TRUE(watching.wait_for_events("port-scan", 1)) << watching.process().errors();
  std::this_thread::sleep_for(std::chrono::seconds{1});
  pair.left.run("ping -c 1 -W 1 10.9.0.2");
  nmap.signal(SIGTERM);
  nmap.wait();
  const auto watched = watching.end();
  ASSERT_EQ(watched.started().size(), 1U);
  EXPECT_THAT(watched.started()[0]["action"].get<std::string>(), HasSubstr("counting 10.9.0.1 by rule"));
}

// The answer to a scan of this host's own making would cut off what is scanned, never this host.
TEST_F(Responses, OwnAddressesAreNeverBlocked) {
  Watching watching(pair.right, {"-i", "veth1", "--respond", "block", "--local", "10.9.0.0/24"});
  run_together(pair.left, {"nmap -n -Pn --disable-arp-ping -sS -T4 -p 1-200 10.9.0.2"});
  ASSERT_TRUE(watching.wait_for_events("port-scan", 1));
  const auto watched = watching.end();
  ASSERT_EQ(watched.started().size(), 1U);
  EXPECT_THAT(watched.started()[0]["action"].get<std::string>(), HasSubstr("not blocked: 10.9.0.1 is an address of"));
  EXPECT_THAT(run_sonde(pair.right, {"guard", "list"}).output, testing::Not(testing::ContainsRegex("block +10.9.0.")));
}

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("sonde-evidence-" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// What stands in the evidence is what tshark finds of the attacker in the whole.
TEST_F(Responses, EvidenceOfAFileIsThePacketsOfTheAttacker) {
  const Folder folder;
  const TemporaryFile file(".pcap");
  Process tcpdump(pair.right, {"tcpdump", "-i", "veth1", "-U", "-w", file.path()});
  ASSERT_TRUE(tcpdump.wait_for_error_text("listening on"));
  pair.left.run("ip address add 10.9.0.50/24 dev veth0 && ping -q -c 3 -i 0.2 -I 10.9.0.50 10.9.0.2");
  run_together(pair.left, {"nmap -n -Pn --disable-arp-ping -sS -T4 -p 1-500 10.9.0.2"});
  std::this_thread::sleep_for(std::chrono::seconds{1});
  tcpdump.signal(SIGINT);
  tcpdump.wait();
  const auto watched = run_watch(pair.left, {"-r", file.path(), "--evidence", folder.path()});
  EXPECT_EQ(watched.status, 0) << watched.errors;
  ASSERT_EQ(watched.started().size(), 1U) << watched.output;
  const auto evidence = watched.started()[0]["evidence_file"].get<std::string>();
  const auto all = tshark_rows(file.path(), {"frame.time_epoch", "ip.src", "tcp.dstport"}, "ip.addr == 10.9.0.1");
  const auto kept = tshark_rows(evidence, {"frame.time_epoch", "ip.src", "tcp.dstport"});
  EXPECT_GE(kept.size(), 900U);
  EXPECT_LE(kept.size(), all.size());
  for (const auto& row : kept) EXPECT_TRUE(row[1] == "10.9.0.1" || row[1] == "10.9.0.2");
  EXPECT_TRUE(std::ranges::includes(all, kept));
}

TEST_F(Responses, LiveEvidenceBeginsWhenTheEventDoes) {
  const Folder folder;
  Watching watching(pair.right, {"-i", "veth1", "--evidence", folder.path(), "--evidence-packets", "50"});
  Process nmap(pair.left, {"bash", "-c", scan_command("10.9.0.2")});
  ASSERT_TRUE(watching.wait_for_events("port-scan", 1));
  nmap.wait();
  const auto watched = watching.end();
  ASSERT_EQ(watched.started().size(), 1U);
  const auto rows = tshark_rows(watched.started()[0]["evidence_file"].get<std::string>(), {"ip.src"});
  EXPECT_EQ(rows.size(), 50U);
  EXPECT_EQ(watched.events.back()["evidence"]["packets_in_evidence_file"], 50);
}

}  // namespace
}  // namespace sonde::test
