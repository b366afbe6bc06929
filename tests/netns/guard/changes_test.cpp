// SPDX-License-Identifier: Apache-2.0
// What commands make of the rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <optional>

#include "guarded.hpp"

namespace sonde::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(guard_changes, the_list_is_what_was_asked_for) {
  const GuardedPair guarded;
  guarded.run("block 192.0.2.0/24 2001:db8::/32 --protocol tcp --dst-port 8000-8080 --comment scan");
  guarded.run("limit any --protocol udp --dst-port 53 --rate 10mbit --burst 64k --direction both");
  guarded.run("never 10.9.0.1");
  guarded.run("default drop --protocol tcp --dst-port 8443 -i veth1");
  guarded.run("allow 10.9.0.0/16 --src-port 1 --dry-run");
  const std::vector<std::string> expected{
      "1 block 192.0.2.0/24 --protocol tcp --dst-port 8000-8080 --comment scan",
      "2 block 2001:db8::/32 --protocol tcp --dst-port 8000-8080 --comment scan",
      "3 limit any --protocol udp --dst-port 53 --direction both --rate 10mbit --burst 65536",
      "4 never 10.9.0.1",
      "5 default drop --protocol tcp --dst-port 8443 --interface veth1",
      "6 allow 10.9.0.0/16 --src-port 1 --dry-run"};
  EXPECT_EQ(guarded.rules(), expected);
  // What list writes, apply reads: nothing changes.
  const TemporaryFile file(".rules");
  file.write(guarded.run("list -o rules").output);
  EXPECT_EQ(guarded.run("apply " + file.path()).output, "0 added, 0 removed, 0 changed, 6 kept\n");
  EXPECT_EQ(guarded.rules(), expected);
}

TEST(guard_changes, the_same_rule_again_refreshes_its_ttl) {
  const GuardedPair guarded;
  EXPECT_THAT(guarded.run("block 192.0.2.1 --ttl 10s").output, HasSubstr("rule 1: block 192.0.2.1 --ttl"));
  EXPECT_THAT(guarded.run("block 192.0.2.1 --ttl 1h").output, HasSubstr("rule 1: "));
  const auto rules = guarded.rules();
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_THAT(rules[0], HasSubstr("--ttl 3"));
}

TEST(guard_changes, apply_shows_the_difference_and_keeps_ids_and_counters) {
  const GuardedPair guarded;
  guarded.run("block 10.9.0.1 --protocol udp --dst-port 1000");
  guarded.run("block 192.0.2.1 192.0.2.2");
  EXPECT_FALSE(guarded.arrives(1000));
  EXPECT_EQ(guarded.hits(1), 1U);
  const TemporaryFile file(".rules");
  file.write("# bad hosts\n192.0.2.2\n\n198.51.100.7  # new\nblock 10.9.0.1 --protocol udp --dst-port 1000\n");
  const auto plan = guarded.run("apply --dry-run " + file.path());
  EXPECT_EQ(plan.output, "- block 192.0.2.1\n+ block 198.51.100.7\nwould be: 1 added, 1 removed, 0 changed, 2 kept\n");
  EXPECT_EQ(guarded.rules().size(), 3U);
  EXPECT_EQ(guarded.run("apply " + file.path()).output,
            "- block 192.0.2.1\n+ block 198.51.100.7\n1 added, 1 removed, 0 changed, 2 kept\n");
  EXPECT_THAT(guarded.rules(), ElementsAre("1 block 10.9.0.1 --protocol udp --dst-port 1000", "3 block 192.0.2.2",
                                           "4 block 198.51.100.7"));
  EXPECT_EQ(guarded.hits(1), 1U);
  EXPECT_FALSE(guarded.arrives(1000));
  EXPECT_EQ(guarded.hits(1), 2U);
}

TEST(guard_changes, a_plain_list_may_be_of_allowed_addresses) {
  const GuardedPair guarded;
  const TemporaryFile file(".rules");
  file.write("10.9.0.1\ndefault drop\n");
  guarded.run("apply --verdict allow " + file.path());
  EXPECT_THAT(guarded.rules(), ElementsAre("1 allow 10.9.0.1", "2 default drop"));
  EXPECT_TRUE(guarded.arrives(1000));
  EXPECT_FALSE(guarded.arrives(1000, true));
}

TEST(guard_changes, rules_are_removed_by_id_address_and_words) {
  const GuardedPair guarded;
  guarded.run("block 192.0.2.1 192.0.2.2 192.0.2.3");
  guarded.run("allow 192.0.2.3");
  guarded.run("limit 192.0.2.4 --dst-port 53 --rate 5pps");
  guarded.run("default drop --dst-port 8443");
  EXPECT_THAT(guarded.run("remove 1").output, HasSubstr("- block 192.0.2.1\n"));
  guarded.run("remove 192.0.2.3");
  guarded.run("remove limit 192.0.2.4 --dst-port 53");
  EXPECT_THAT(guarded.rules(), ElementsAre("2 block 192.0.2.2", "6 default drop --dst-port 8443"));
  guarded.run("remove default drop --dst-port 8443");
  EXPECT_THAT(guarded.run("remove 2 99", 1).errors, HasSubstr("no rule 99"));
  EXPECT_THAT(guarded.run("remove 192.0.2.77", 1).errors, HasSubstr("192.0.2.77"));
  EXPECT_THAT(guarded.run("remove allow 192.0.2.2", 1).errors, HasSubstr("no rule 'allow 192.0.2.2'"));
  EXPECT_THAT(guarded.rules(), ElementsAre("2 block 192.0.2.2"));
}

TEST(guard_changes, wrong_words_change_nothing) {
  const GuardedPair guarded;
  const TemporaryFile file(".rules");
  file.write("192.0.2.1\n192.0.2.2\n192.0.2.3/99\n");
  const std::pair<std::string, std::string> wrong[] = {
      {"block 192.0.2.1 192.0.2.256", "192.0.2.256"},
      {"block 192.0.2.1 --ttl soon", "'soon'"},
      {"block 192.0.2.1 --dst-port 0-70000", "'0-70000'"},
      {"block", "address"},
      {"block 192.0.2.1 --tll 10m", "--tll"},
      {"limit 192.0.2.1", "--rate"},
      {"apply " + file.path(), file.path() + ": line 3: '192.0.2.3/99'"},
      {"default maybe", "'maybe'"},
      {"blok 192.0.2.1", "'blok'"},
      {"list -o xml", "'xml'"},
      {"stats -c 3", "-c"},
      {"attach -i nothere", "'nothere'"},
      {"attach --mode fast", "'fast'"},
      {"remove 192.0.2.1 --dst-port 3", "--dst-port"},
      {"log --sample 0", "--sample"},
      {"log --verdict maybe", "'maybe'"}};
  for (const auto& [words, named] : wrong) EXPECT_THAT(guarded.run(words, 2).errors, HasSubstr(named)) << words;
  EXPECT_EQ(guarded.run("apply /", 1).errors, "sonde: cannot read /: Is a directory\n");
  EXPECT_EQ(guarded.run("apply /nothere", 1).errors, "sonde: cannot read /nothere: No such file or directory\n");
  EXPECT_THAT(guarded.rules(), IsEmpty());
}

TEST(guard_changes, without_the_guard_the_error_says_how_to_attach) {
  const GuardedPair guarded("");
  for (const char* words : {"block 192.0.2.1", "list", "stats", "clear", "log -c 1"}) {
    const auto outcome = guarded.run(words, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("not attached")) << words;
    EXPECT_THAT(outcome.errors, HasSubstr("sonde guard attach")) << words;
  }
  EXPECT_THAT(guarded.run("detach").errors, HasSubstr("was not attached"));
  EXPECT_THAT(pins_of(guarded.pair.right), IsEmpty());
}

constexpr const char* by_ssh = "SSH_CONNECTION=10.9.0.1 50122 10.9.0.2 22";

TEST(guard_cut_off, the_callers_connection_is_not_cut_off) {
  const GuardedPair guarded;
  const auto& right = guarded.pair.right;
  for (const char* words : {"block 10.9.0.0/16", "block any", "block any --dst-port 22", "block any --direction out",
                            "block 10.9.0.1 --protocol tcp --src-port 50000-51000", "default drop",
                            "default drop --protocol tcp --dst-port 1-1023"}) {
    const auto refused = sonde_guard(right, words, {by_ssh});
    EXPECT_EQ(refused.status, 1) << words;
    EXPECT_THAT(refused.errors, HasSubstr("10.9.0.1:50122 to 10.9.0.2:22")) << words;
    EXPECT_THAT(refused.errors, HasSubstr(std::string("'") + words)) << words;
    EXPECT_THAT(refused.errors, HasSubstr("--force")) << words;
  }
  EXPECT_THAT(guarded.rules(), IsEmpty());
  EXPECT_THAT(sonde_guard(right, "block 10.9.0.0/16 --dry-run", {by_ssh}).status, 0);
  EXPECT_THAT(sonde_guard(right, "block 10.9.0.0/16 --protocol udp", {by_ssh}).status, 0);
  EXPECT_THAT(sonde_guard(right, "block 10.9.0.9", {by_ssh}).status, 0);
}

TEST(guard_cut_off, who_is_kept_safe_or_insists_may_go_on) {
  const GuardedPair guarded;
  const auto& right = guarded.pair.right;
  const auto forced = sonde_guard(right, "block 10.9.0.0/24 --force", {by_ssh});
  EXPECT_EQ(forced.status, 0);
  EXPECT_THAT(forced.errors, HasSubstr("'block 10.9.0.0/24' would cut off your own connection"));
  EXPECT_THAT(forced.errors, Not(HasSubstr("nothing was changed")));
  guarded.run("clear");
  EXPECT_EQ(sonde_guard(right, "never 10.9.0.1", {by_ssh}).status, 0);
  EXPECT_EQ(sonde_guard(right, "default drop", {by_ssh}).status, 0);
  // Taking the protection away would cut off, too.
  const auto refused = sonde_guard(right, "remove never 10.9.0.1", {by_ssh});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.errors, HasSubstr("default drop"));
  EXPECT_EQ(guarded.rules().size(), 2U);
}

TEST(guard_cut_off, sudo_hides_the_variable_and_the_process_above_has_it) {
  const GuardedPair guarded;
  Process shell(
      guarded.pair.right,
      {"env", by_ssh, "sh", "-c", std::string("env -u SSH_CONNECTION ") + SONDE_PROGRAM + " guard block any; exit $?"});
  EXPECT_EQ(shell.wait(), 1);
  EXPECT_THAT(shell.errors(), HasSubstr("your own connection"));
}

// An SSH server as /proc shows it: its name, an established connection, and something else that it has started.
class FakeServer {
 public:
  FakeServer(const GuardedPair& guarded, bool logged_in)
      : directory_(testing::TempDir() + "sonde-server-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(directory_);
    std::filesystem::create_symlink("/usr/bin/python3", directory_ + "/sshd");
    const std::string script =
        "import socket, subprocess, time\ns = socket.socket()\ns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, "
        "1)\n"
        "s.bind(('10.9.0.2', 22))\ns.listen()\nprint('listens', flush=True)\nc, _ = s.accept()\n" +
        std::string(logged_in ? "p = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n" : "") +
        "print('ready', flush=True)\ntime.sleep(60)\n";
    server_.emplace(guarded.pair.right, std::vector<std::string>{directory_ + "/sshd", "-c", script});
    EXPECT_TRUE(server_->wait_for_output_text("listens")) << server_->errors();
    client_.emplace(guarded.pair.left, std::vector<std::string>{"nc", "-d", "-p", "50222", "10.9.0.2", "22"});
    EXPECT_TRUE(server_->wait_for_output_text("ready")) << server_->errors();
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  ~FakeServer() { std::filesystem::remove_all(directory_); }

 private:
  std::string directory_;
  std::optional<Process> server_;
  std::optional<Process> client_;
};

TEST(guard_cut_off, others_who_are_logged_in_are_not_cut_off) {
  const GuardedPair guarded;
  const FakeServer server(guarded, true);
  const auto refused = guarded.run("block 10.9.0.1", 1);
  EXPECT_THAT(refused.errors, HasSubstr("somebody who is logged in, 10.9.0.1:50222 to 10.9.0.2:22"));
  EXPECT_THAT(guarded.rules(), IsEmpty());
}

TEST(guard_cut_off, who_has_only_connected_to_the_server_may_be_blocked) {
  const GuardedPair guarded;
  const FakeServer server(guarded, false);
  guarded.run("block 10.9.0.1");
}

TEST(guard_cut_off, a_connection_to_another_host_is_no_concern) {
  const GuardedPair guarded;
  const char* elsewhere = "SSH_CONNECTION=10.9.0.1 50122 198.51.100.1 22";
  EXPECT_EQ(sonde_guard(guarded.pair.right, "block any", {elsewhere}).status, 0);
}

}  // namespace
}  // namespace sonde::test
