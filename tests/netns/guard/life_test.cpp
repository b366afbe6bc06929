// SPDX-License-Identifier: Apache-2.0
// From attach to detach: what outlives the command, what is left, who else is there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "guarded.hpp"

namespace sonde::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// What tools of others see on the interface. bpftool of Debian 12 knows no tcx.
std::string on_the_interface(const NetworkNamespace& where) {
  return where.run(
      "tc qdisc show dev veth1 | grep clsact || true; tc filter show dev veth1 ingress; tc filter show dev veth1 "
      "egress;"
      "ip -d link show veth1 | grep -o 'prog/xdp id [0-9]*' || true");
}

// The maps that are pinned, and the programs of pinned links, in words of bpftool: "map id 12", "prog id 9".
std::vector<std::string> pinned_objects(const NetworkNamespace& where) {
  std::vector<std::string> objects;
  for (const auto& pin : pins_of(where)) {
    for (const auto& [kind, id] : {std::pair{"map", "id"}, std::pair{"link", "prog_id"}}) {
      const auto text = run(fmt::format("bpftool -j {} show pinned {} 2>/dev/null || true", kind, pin));
      const auto object = nlohmann::json::parse(text, nullptr, false);
      if (!object.is_object() || !object.contains(id)) continue;
      objects.push_back(
          fmt::format("{} id {}", kind == std::string_view("map") ? "map" : "prog", object[id].get<std::uint64_t>()));
    }
  }
  return objects;
}

// The kernel frees them some time after the last reference went.
bool all_gone(const std::vector<std::string>& objects) {
  const auto there = [](const std::string& object) {
    return run("bpftool " + object.substr(0, object.find(' ')) + " show " + object.substr(object.find(' ') + 1) +
               " >/dev/null 2>&1 && echo yes || true") == "yes\n";
  };
  for (int i = 0; i < 100; ++i) {
    if (std::ranges::none_of(objects, there)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  return false;
}

class guard_rungs : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(rungs, guard_rungs, testing::Values("native", "generic", "tc", "clsact"),
                         [](const auto& rung) { return std::string(rung.param); });

TEST_P(guard_rungs, detach_leaves_nothing) {
  const GuardedPair guarded("");
  const auto& right = guarded.pair.right;
  const auto before = on_the_interface(right);
  guarded.run(std::string("attach -i veth1 --mode ") + GetParam());
  guarded.run("block 192.0.2.1");
  const auto objects = pinned_objects(right);
  EXPECT_GE(objects.size(), 5U);
  EXPECT_THAT(pins_of(right), Not(IsEmpty()));
  guarded.run("detach");
  EXPECT_EQ(on_the_interface(right), before);
  EXPECT_TRUE(all_gone(objects));
  EXPECT_THAT(pins_of(right), IsEmpty());
  EXPECT_TRUE(guarded.pings());
}

TEST_P(guard_rungs, attach_again_exchanges_the_programs_and_keeps_rules_and_counters) {
  const GuardedPair guarded(GetParam());
  guarded.run("block 10.9.0.1 --protocol udp");
  EXPECT_FALSE(guarded.arrives(1000));
  const auto objects = [&] {
    return std::pair{pinned_objects(guarded.pair.right), on_the_interface(guarded.pair.right)};
  };
  const auto old = objects();
  guarded.run("attach -i veth1");
  EXPECT_NE(objects(), old);
  EXPECT_EQ(guarded.hits(1), 1U);
  EXPECT_FALSE(guarded.arrives(1000));
  EXPECT_EQ(guarded.hits(1), 2U);
  EXPECT_EQ(guarded.stats()["interfaces"][0]["receive"], std::string_view(GetParam()) == "native"    ? "native XDP"
                                                         : std::string_view(GetParam()) == "generic" ? "generic XDP"
                                                         : std::string_view(GetParam()) == "tc"      ? "tcx"
                                                                                                     : "clsact");
}

TEST(guard_life, another_mode_needs_a_detach_first) {
  const GuardedPair guarded("generic");
  const auto refused = guarded.run("attach -i veth1 --mode native", 1);
  EXPECT_THAT(refused.errors, HasSubstr("veth1 is guarded by generic XDP"));
  EXPECT_THAT(refused.errors, HasSubstr("sonde guard detach -i veth1"));
}

TEST(guard_life, attach_alone_renews_where_it_is) {
  const GuardedPair guarded("generic");
  guarded.run("block 10.9.0.1");
  EXPECT_EQ(guarded.run("attach").output, "veth1: in by generic XDP, out by tcx\n");
  EXPECT_FALSE(guarded.pings());
}

// Who is killed while it detaches has let go of the hooks first: what it left must not come back.
TEST(guard_life, rules_of_a_detach_that_was_killed_do_not_come_back) {
  const GuardedPair guarded("tc");
  guarded.run("block 10.9.0.1");
  for (const auto& pin : pins_of(guarded.pair.right))
    if (pin.find("-tcx-") != std::string::npos) std::filesystem::remove(pin);
  EXPECT_THAT(guarded.run("list", 1).errors, HasSubstr("not attached"));
  guarded.run("attach -i veth1");
  EXPECT_THAT(guarded.rules(), IsEmpty());
  EXPECT_TRUE(guarded.pings());
}

// Linux 5.18: a native program that takes packets in several buffers may sit on an interface with jumbo frames.
TEST(guard_life, jumbo_frames_are_no_reason_against_native_xdp) {
  const GuardedPair guarded("");
  guarded.pair.left.run("ip link set veth0 mtu 9000");
  guarded.pair.right.run("ip link set veth1 mtu 9000");
  guarded.run("attach -i veth1 --mode native");
  guarded.run("block any --protocol udp");
  EXPECT_EQ(guarded.pair.left.run("ping -n -c 1 -W 1 -s 8000 -M do 10.9.0.2 >/dev/null && echo yes || true"), "yes\n");
  EXPECT_FALSE(guarded.arrives(1000));
}

TEST(guard_life, without_privileges_the_status_is_3) {
  const GuardedPair guarded;
  for (const char* words : {"list", "block 10.9.0.1", "attach -i veth1", "stats"}) {
    const auto status = guarded.pair.right.run(std::string("setpriv --reuid 65534 --regid 65534 --clear-groups ") +
                                               SONDE_PROGRAM + " guard " + words + " >/dev/null 2>&1; echo $?");
    EXPECT_EQ(status, "3\n") << words;
  }
}

TEST(guard_life, several_interfaces_and_one_that_vanishes) {
  const GuardedPair guarded("");
  const auto& right = guarded.pair.right;
  add_veth(guarded.pair.left, "veth2", right, "veth3");
  guarded.run("attach -i veth1,veth3");
  guarded.run("block 192.0.2.1");
  EXPECT_EQ(guarded.stats()["interfaces"].size(), 2U);
  right.run("ip link del veth3");
  const auto stats = guarded.stats();
  ASSERT_EQ(stats["interfaces"].size(), 2U);
  EXPECT_EQ(stats["interfaces"][1]["gone"], true);
  EXPECT_THAT(guarded.run("stats").output, HasSubstr("is gone"));
  guarded.run("attach -i veth1");
  EXPECT_EQ(guarded.stats()["interfaces"].size(), 1U);
  EXPECT_EQ(guarded.rules().size(), 1U);
  guarded.run("detach -i veth1");
  EXPECT_THAT(pins_of(right), IsEmpty());
}

TEST(guard_life, detach_takes_one_interface_and_leaves_the_other) {
  const GuardedPair guarded("");
  add_veth(guarded.pair.left, "veth2", guarded.pair.right, "veth3");
  guarded.run("attach -i veth1 -i veth3");
  guarded.run("block 10.9.0.1");
  guarded.run("detach -i veth3");
  EXPECT_EQ(guarded.stats()["interfaces"].size(), 1U);
  EXPECT_FALSE(guarded.pings());
}

TEST(guard_life, a_foreign_xdp_program_is_left_alone) {
  const GuardedPair guarded("");
  const auto& right = guarded.pair.right;
  const std::filesystem::path pins = "/sys/fs/bpf/xdp";  // where libxdp works, and what it does not take away again
  const bool were_there = std::filesystem::exists(pins);
  right.run("xdp-filter load veth1 --mode native >/dev/null 2>&1");
  const auto foreign = right.run("ip -d link show veth1 | grep -o 'prog/xdp id [0-9]*'");
  const auto attached = guarded.run("attach -i veth1");
  EXPECT_THAT(attached.output, HasSubstr("veth1: in by tcx, out by tcx"));
  EXPECT_THAT(attached.errors, HasSubstr("XDP"));
  guarded.run("block 10.9.0.1");
  EXPECT_FALSE(guarded.pings());
  EXPECT_EQ(right.run("ip -d link show veth1 | grep -o 'prog/xdp id [0-9]*'"), foreign);
  guarded.run("detach");
  EXPECT_EQ(right.run("ip -d link show veth1 | grep -o 'prog/xdp id [0-9]*'"), foreign);
  right.run("xdp-filter unload veth1 >/dev/null 2>&1");
  if (!were_there) std::filesystem::remove(pins);
}

TEST(guard_life, two_namespaces_do_not_disturb_each_other) {
  const GuardedPair one;
  const GuardedPair other;
  one.run("block 10.9.0.1");
  other.run("block 192.0.2.1");
  EXPECT_FALSE(one.pings());
  EXPECT_TRUE(other.pings());
  EXPECT_EQ(other.rules(), std::vector<std::string>{"1 block 192.0.2.1"});
  one.run("detach");
  EXPECT_TRUE(one.pings());
  EXPECT_EQ(other.rules(), std::vector<std::string>{"1 block 192.0.2.1"});
  EXPECT_THAT(pins_of(other.pair.right), Not(IsEmpty()));
}

// ip netns exec gives each command a mount namespace of its own: the pins must not go with it.
TEST(guard_life, it_outlives_a_command_in_a_mount_namespace_of_its_own) {
  const GuardedPair guarded("");
  const std::string inside = "unshare -m sh -c 'umount -l /sys; mount -t sysfs sysfs /sys; ";
  guarded.pair.right.run(inside + SONDE_PROGRAM + " guard attach -i veth1 && " + SONDE_PROGRAM +
                         " guard block 10.9.0.1'");
  EXPECT_FALSE(guarded.pings());
  EXPECT_EQ(guarded.rules(), std::vector<std::string>{"1 block 10.9.0.1"});
}

TEST(guard_life, pins_of_a_namespace_that_is_gone_go_at_the_next_attach) {
  std::string directory;
  {
    const Pair pair;
    EXPECT_EQ(sonde_guard(pair.right, "attach -i veth1 --mode tc").status, 0);
    directory = pin_directory(pair.right);
    EXPECT_TRUE(std::filesystem::exists(directory));
  }
  const GuardedPair guarded("");
  // The kernel takes a namespace apart in its own time.
  for (int i = 0; i < 50 && std::filesystem::exists(directory); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    guarded.run("attach -i veth1");
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
}

}  // namespace
}  // namespace sonde::test
