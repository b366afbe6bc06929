// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/cutoff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace sonde::guard {
namespace {

using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::int64_t now = 1'000'000'000'000'000'000;

WorkConnection connection_of(std::string_view words, const std::string& interface = "eth0") {
  WorkConnection connection;
  EXPECT_TRUE(parse_ssh_connection(words, connection)) << words;
  connection.interface = interface;
  connection.own = true;
  return connection;
}

std::vector<CutOff> cut_off_by(std::string_view rules, const WorkConnection& connection,
                               const std::vector<std::string>& guarded = {"eth0", "eth1"}) {
  const auto parsed = parse_guard_rules(rules, GuardVerdict::block, now);
  EXPECT_TRUE(parsed) << rules;
  return find_cut_off(parsed.value_or(std::vector<GuardRule>{}), {&connection, 1}, guarded, now);
}

TEST(plan_cut_off, words_of_ssh_connection) {
  EXPECT_EQ(connection_of("203.0.113.9 50122 192.0.2.1 22").text(), "203.0.113.9:50122 to 192.0.2.1:22");
  EXPECT_EQ(connection_of("2001:db8::9 50122 2001:db8::1 22").text(), "[2001:db8::9]:50122 to [2001:db8::1]:22");
  EXPECT_EQ(connection_of("fe80::9%eth0 50122 fe80::1%eth0 22").text(), "[fe80::9]:50122 to [fe80::1]:22");
  WorkConnection connection;
  for (const char* wrong : {"", "203.0.113.9 50122 192.0.2.1", "203.0.113.0/24 1 192.0.2.1 22", "a b c d",
                            "203.0.113.9 70000 192.0.2.1 22", "UNKNOWN 65535 UNKNOWN 65535"})
    EXPECT_FALSE(parse_ssh_connection(wrong, connection)) << wrong;
}

TEST(plan_cut_off, a_rule_that_drops_its_packets_either_way) {
  const auto connection = connection_of("203.0.113.9 50122 192.0.2.1 22");
  EXPECT_THAT(cut_off_by("block 203.0.113.9", connection), SizeIs(1));
  EXPECT_THAT(cut_off_by("block any --direction out --src-port 22", connection), SizeIs(1));
  EXPECT_THAT(cut_off_by("block any --protocol 6 --src-port 50000-51000", connection), SizeIs(1));
  EXPECT_THAT(
      cut_off_by("block 203.0.113.8\nblock any --protocol udp\nblock any --dst-port 23\nblock 2000::/3", connection),
      IsEmpty());
  EXPECT_THAT(cut_off_by("block 203.0.113.9 --dry-run", connection), IsEmpty());
  EXPECT_THAT(cut_off_by("limit any --rate 1pps", connection), IsEmpty());
  EXPECT_THAT(
      cut_off_by("block any\nallow 203.0.113.0/24 --dst-port 22\nallow 203.0.113.0/24 --direction out", connection),
      SizeIs(0));
}

TEST(plan_cut_off, a_default_drop_spares_the_connection_and_not_the_next_one) {
  const auto connection = connection_of("203.0.113.9 50122 192.0.2.1 22");
  const auto found = cut_off_by("default drop", connection);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_TRUE(found[0].later);
  EXPECT_EQ(found[0].rule, "default drop");
  EXPECT_THAT(refuse_cut_off(found).error().message, HasSubstr("opened again"));
  EXPECT_THAT(cut_off_by("default drop\nallow 203.0.113.0/24 --protocol tcp --dst-port 22", connection), IsEmpty());
  EXPECT_THAT(cut_off_by("default drop --protocol tcp --dst-port 8443", connection), IsEmpty());
}

TEST(plan_cut_off, the_interface_counts_where_it_is_guarded) {
  const auto connection = connection_of("203.0.113.9 50122 192.0.2.1 22");
  EXPECT_THAT(cut_off_by("default drop --interface eth1", connection), IsEmpty());
  EXPECT_THAT(cut_off_by("default drop --interface eth0", connection), SizeIs(1));
  // The address is that of a bridge; its packets come in by a port.
  const auto bridged = connection_of("203.0.113.9 50122 192.0.2.1 22", "br0");
  EXPECT_THAT(cut_off_by("default drop --interface eth1", bridged), SizeIs(1));
  EXPECT_THAT(cut_off_by("block any", bridged, {}), IsEmpty());
}

TEST(plan_cut_off, an_expired_rule_and_nobody_at_all) {
  auto rules = parse_guard_rules("block any --ttl 1s", GuardVerdict::block, now);
  ASSERT_TRUE(rules);
  const auto connection = connection_of("203.0.113.9 50122 192.0.2.1 22");
  const std::vector<std::string> guarded{"eth0"};
  EXPECT_THAT(find_cut_off(*rules, {&connection, 1}, guarded, now + 2'000'000'000), IsEmpty());
  EXPECT_THAT(find_cut_off(*rules, {}, guarded, now), IsEmpty());
  EXPECT_TRUE(refuse_cut_off({}));
}

// A file of a process that ends after it was opened cannot be read (ESRCH).
TEST(plan_cut_off, processes_end_while_they_are_looked_at) {
  const auto beget = [](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      ::waitpid(child, nullptr, 0);
    }
  };
  const std::jthread one(beget), other(beget), third(beget), fourth(beget);
  for (int i = 0; i < 300; ++i)
    EXPECT_THAT(work_connections(), Each(Field(&WorkConnection::interface, Not(IsEmpty()))));
}

}  // namespace
}  // namespace sonde::guard
