// SPDX-License-Identifier: Apache-2.0
// Changes under traffic: no packet meets half a rule set, no count is lost. One address must always pass and one never,
// while everything else about the rules changes; nft counts behind the guard.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "guarded.hpp"

namespace sonde::test {
namespace {

constexpr const char* must_pass = "10.9.0.1";
constexpr const char* must_not = "10.9.0.66";

/// Both kinds of packets from left to right until it is destroyed.
class Flood {
 public:
  explicit Flood(const NetworkNamespace& from)
      : thread_([this, &from] {
          const std::vector<Bytes> frames{udp_frame({10, 9, 0, 1}, 1000), udp_frame({10, 9, 0, 66}, 1000)};
          std::vector<Bytes> burst;
          for (int i = 0; i < 50; ++i) burst.insert(burst.end(), frames.begin(), frames.end());
          while (!stop_) {
            send_frames(from, "veth0", burst);
            sent_ += 50;
            std::this_thread::sleep_for(std::chrono::microseconds{500});
          }
        }) {}
  ~Flood() { stop(); }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  /// Packets of each kind that were sent.
  std::uint64_t stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    return sent_;
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> sent_{0};
  std::thread thread_;
};

std::string rule_file(int kind) {
  std::string text = "block 10.9.0.66\n";
  for (int i = 0; i < 300; ++i) text += fmt::format("198.51.{}.{}\n", kind, i % 250);
  // Of the same tree as the two, so that it is built differently each time.
  for (int i = 0; i < 40; ++i) text += fmt::format("block 10.9.0.{} --dst-port {}\n", 100 + i, 1 + kind);
  return text + (kind == 0 ? "never 10.9.0.1\n" : "never 10.9.0.0/26\nallow 10.9.0.1\nblock 10.9.0.64/26\n");
}

// nothing wrong passed, nothing right was dropped, and every count is there.
void expect_no_wrong_verdict(const GuardedPair& guarded, std::uint64_t sent) {
  EXPECT_GT(sent, 1000U);
  EXPECT_EQ(guarded.received(must_pass), sent);
  EXPECT_EQ(guarded.received(must_not), 0U);
  const auto stats = guarded.stats();
  EXPECT_EQ(stats["outcomes"]["dropped-block"]["packets"], sent);
  EXPECT_EQ(stats["outcomes"]["passed-never-block"]["packets"], sent);
  EXPECT_EQ(stats["outcomes"]["unguarded"]["packets"], 0);
  EXPECT_TRUE(stats["balanced"]) << stats["outcomes"].dump() << stats["retired"].dump();
}

class guard_atomic : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    files_[0].write(rule_file(0));
    files_[1].write(rule_file(1));
    guarded_.count_received({must_pass, must_not});
    guarded_.run("apply " + files_[0].path());
  }

  const TemporaryFile files_[2]{TemporaryFile(".a"), TemporaryFile(".b")};
  const GuardedPair guarded_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(rungs, guard_atomic, testing::Values("native", "generic", "tc", "clsact"),
                         [](const auto& rung) { return std::string(rung.param); });

TEST_P(guard_atomic, apply_in_a_loop_under_traffic) {
  Flood flood(guarded_.pair.left);
  for (int i = 0; i < 25; ++i) guarded_.run("apply " + files_[(i + 1) % 2].path());
  expect_no_wrong_verdict(guarded_, flood.stop());
}

TEST_P(guard_atomic, attach_again_in_a_loop_under_traffic) {
  Flood flood(guarded_.pair.left);
  for (int i = 0; i < 8; ++i) guarded_.run("attach -i veth1");
  expect_no_wrong_verdict(guarded_, flood.stop());
}

TEST_P(guard_atomic, killed_at_any_moment_it_leaves_the_old_or_the_new_rules) {
  std::mt19937 random(11);
  std::set<std::string> found;
  const auto rule_words = [&] {
    std::string words;
    for (const auto& rule : guarded_.rules()) words += rule.substr(rule.find(' ') + 1) + "\n";
    return words;
  };
  const auto sorted = [](const std::string& text) {
    auto lines = lines_of(text);
    std::ranges::sort(lines);
    return lines;
  };
  std::set<std::vector<std::string>> wanted;
  for (const auto kind : {1, 0}) {
    guarded_.run("apply " + files_[kind].path());
    wanted.insert(sorted(rule_words()));
  }
  Flood flood(guarded_.pair.left);
  int killed = 0;
  for (int i = 0; i < 40; ++i) {
    Process apply(guarded_.pair.right, {SONDE_PROGRAM, "guard", "apply", files_[(i + 1) % 2].path()});
    std::this_thread::sleep_for(std::chrono::microseconds{std::uniform_int_distribution<int>(0, 40'000)(random)});
    apply.signal(SIGKILL);
    if (apply.wait() != 0) ++killed;
    EXPECT_TRUE(wanted.contains(sorted(rule_words())));
  }
  EXPECT_GT(killed, 5);
  expect_no_wrong_verdict(guarded_, flood.stop());
}

// As if the command had been killed after it carried the counts over and before it took the old rule set away: doing it
// again changes nothing.
TEST(guard_recovery, counts_are_carried_over_once) {
  const GuardedPair guarded;
  const auto& right = guarded.pair.right;
  guarded.run("block 10.9.0.66 10.9.0.67");
  send_frame(guarded.pair.left, "veth0", udp_frame({10, 9, 0, 66}, 1000), 30);
  send_frame(guarded.pair.left, "veth0", udp_frame({10, 9, 0, 67}, 1000), 5);
  const auto directory = pin_directory(right);
  // "value":["0x28","0x38","0x01","0x00"]: the id of the map in the slot.
  const auto slot = nlohmann::json::parse(run("bpftool -j map lookup pinned " + directory + "/rules key 0 0 0 0"));
  std::uint32_t number = 0;
  for (int byte = 3; byte >= 0; --byte)
    number = number << 8 | static_cast<std::uint32_t>(std::stoul(slot["value"][byte].get<std::string>(), nullptr, 16));
  const auto id = std::to_string(number);
  run("bpftool map pin id " + id + " " + directory + "/kept");
  guarded.run("remove 10.9.0.67");
  EXPECT_EQ(guarded.hits(1), 30U);
  send_frame(guarded.pair.left, "veth0", udp_frame({10, 9, 0, 66}, 1000), 7);
  run("bpftool map pin id " + id + " " + directory + "/previous");
  EXPECT_EQ(guarded.hits(1), 37U);
  EXPECT_FALSE(std::filesystem::exists(directory + "/previous"));
  const auto stats = guarded.stats();
  EXPECT_EQ(stats["retired"]["block"], 5);
  EXPECT_TRUE(stats["balanced"]);
  run("rm " + directory + "/kept");
}

// The commands wait for one another.
TEST(guard_lock, changes_at_the_same_time_all_take_place) {
  const GuardedPair guarded;
  std::vector<std::unique_ptr<Process>> processes;
  for (int i = 1; i <= 12; ++i)
    processes.push_back(std::make_unique<Process>(
        guarded.pair.right,
        std::vector<std::string>{SONDE_PROGRAM, "guard", "block", fmt::format("192.0.2.{}", i), "--comment", "c"}));
  for (auto& process : processes) EXPECT_EQ(process->wait(), 0) << process->errors();
  EXPECT_EQ(guarded.rules().size(), 12U);
}

}  // namespace
}  // namespace sonde::test
