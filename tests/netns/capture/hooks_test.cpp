// SPDX-License-Identifier: Apache-2.0
// Which hooks are taken, what stays in place, and that nothing is left behind, however sonde ends.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "harness/collect.hpp"
#include "sensors/packets/packets.hpp"
#include "sonde_program.hpp"

namespace sonde::test {
namespace {

constexpr int tcx_ingress = 46, tcx_egress = 47;  // linux/bpf.h of 6.6

// Programs at a tcx hook of veth0; -1: the kernel has no tcx.
int tcx_programs(const NetworkNamespace& where, int hook) {
  int found = -1;
  where.call([&] {
    __u32 ids[16] = {}, count = 16, flags = 0;
    const int error = bpf_prog_query(static_cast<int>(::if_nametoindex("veth0")), static_cast<bpf_attach_type>(hook), 0,
                                     &flags, ids, &count);
    if (error == 0) found = static_cast<int>(count);
    if (error == -ENOENT) found = 0;
  });
  return found;
}

Json xdp_of(const NetworkNamespace& where) {
  const auto link = Json::parse(where.run("ip -d -j link show dev veth0")).at(0);
  return link.contains("xdp") ? link["xdp"] : Json();
}

std::string clsact_filters(const NetworkNamespace& where) {
  return where.run("tc filter show dev veth0 ingress; tc filter show dev veth0 egress");
}

std::string qdiscs(const NetworkNamespace& where) { return where.run("tc qdisc show dev veth0"); }

void expect_nothing_left(const NetworkNamespace& where) {
  EXPECT_TRUE(xdp_of(where).is_null()) << xdp_of(where);
  EXPECT_LE(tcx_programs(where, tcx_ingress), 0);
  EXPECT_LE(tcx_programs(where, tcx_egress), 0);
  EXPECT_EQ(qdiscs(where).find("clsact"), std::string::npos) << qdiscs(where);
}

// Links go with the last reference, a moment after the process.
void wait_until_gone(const NetworkNamespace& where) {
  for (int i = 0; i < 200 && (!xdp_of(where).is_null() || tcx_programs(where, tcx_ingress) > 0 ||
                              tcx_programs(where, tcx_egress) > 0);
       ++i)
    ::usleep(10'000);
}

struct Mode {
  const char* word;
  const char* notice;
  int kernel_mode;  ///< as `ip -j link` tells: 1 native, 2 generic, 0 none
};

class XdpModes : public testing::TestWithParam<Mode> {};

TEST_P(XdpModes, AreTakenAndTold) {
  const Pair pair;
  const auto& mode = GetParam();
  Capturing capturing(pair.left, {"-i", "veth0", "-q", "--xdp-mode", mode.word});
  const auto xdp = xdp_of(pair.left);
  EXPECT_EQ(xdp.is_null() ? 0 : xdp["mode"].get<int>(), mode.kernel_mode) << xdp;
  send_frame(pair.right, "veth1", udp_frame(), 7);
  send_frame(pair.left, "veth0", udp_frame(), 3);
  const auto end = capturing.end();
  EXPECT_NE(end.errors.find(mode.notice), std::string::npos) << end.errors;
  EXPECT_EQ(end.stage("output").at(0), 10U);
  expect_nothing_left(pair.left);
}

TEST_P(XdpModes, VanishOnSigkill) {
  const Pair pair;
  Capturing capturing(pair.left, {"-i", "veth0", "-q", "--xdp-mode", GetParam().word});
  capturing.process().signal(SIGKILL);
  EXPECT_EQ(capturing.process().wait(), 128 + SIGKILL);
  wait_until_gone(pair.left);
  if (tcx_programs(pair.left, tcx_egress) < 0) GTEST_SKIP() << "no tcx on this kernel: clsact stays, see Clsact";
  expect_nothing_left(pair.left);
}

INSTANTIATE_TEST_SUITE_P(All, XdpModes,
                         testing::Values(Mode{"off", "veth0: in by ", 0}, Mode{"native", "in by native XDP", 1},
                                         Mode{"generic", "in by generic XDP", 2}, Mode{"auto", "in by native XDP", 1}),
                         [](const auto& instance) { return std::string(instance.param.word); });

TEST(XdpModes, NativeWhereThereIsNoneIsAnError) {
  const NetworkNamespace where;
  const auto end = run_sonde(where, {"capture", "-i", "lo", "--xdp-mode", "native", "--duration", "1s"});
  EXPECT_EQ(end.status, 3) << end.errors;
  EXPECT_NE(end.errors.find("lo: in: cannot attach by native XDP"), std::string::npos) << end.errors;
}

TEST(XdpModes, AutoFallsBackToGeneric) {
  const NetworkNamespace where;
  const auto seen =
      capture(where, {"-i", "lo", "--xdp-mode", "auto"}, [&] { send_udp(where, "127.0.0.1", 1025, 514, "x"); });
  EXPECT_NE(seen.errors.find("lo: in by generic XDP"), std::string::npos) << seen.errors;
  EXPECT_EQ(seen.only("udp").size(), 1U);
}

// A program that passes everything, attached by somebody else.
Fd attach_foreign_xdp(const NetworkNamespace& where) {
  const bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
                           {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign", "GPL", code, 2, nullptr));
  Fd link;
  where.call([&] {
    link.reset(bpf_link_create(program.get(), static_cast<int>(::if_nametoindex("veth0")), BPF_XDP, nullptr));
  });
  if (!link) throw std::runtime_error("cannot attach the foreign XDP program");
  return link;
}

TEST(ForeignXdp, StaysInPlace) {
  for (const std::string mode : {"off", "native", "generic", "auto"}) {
    SCOPED_TRACE(mode);
    const Pair pair;
    const auto foreign = attach_foreign_xdp(pair.left);
    const auto before = xdp_of(pair.left);
    const auto seen = capture(pair.left, {"-i", "veth0", "--xdp-mode", mode}, [&] {
      EXPECT_EQ(xdp_of(pair.left), before);
      send_frame(pair.right, "veth1", udp_frame(), 5);
    });
    EXPECT_EQ(xdp_of(pair.left), before);
    EXPECT_EQ(seen.only("udp", "in").size(), 5U) << seen.errors;
    EXPECT_NE(
        seen.errors.find("XDP program " + std::to_string(before["prog"]["id"].get<int>()) + " is attached and stays"),
        std::string::npos)
        << seen.errors;
    EXPECT_EQ(seen.errors.find("taken at tc ingress") != std::string::npos, mode != "off") << seen.errors;
  }
}

// A process with clsact filters that is killed: what a crash leaves on a kernel without tcx.
packets::PacketsOptions with_clsact() {
  packets::PacketsOptions options;
  options.interfaces = {"veth0"};
  options.program.filter.fields = std::make_shared<sonde_filter>();
  options.attach.tcx = false;
  return options;
}

std::unique_ptr<pipeline::Source> open_clsact(const NetworkNamespace& where) {
  std::unique_ptr<pipeline::Source> source;
  where.call([&] {
    auto opened = packets::open(with_clsact());
    if (!opened) throw std::runtime_error(opened.error().text());
    source = std::move(*opened);
  });
  return source;
}

// clsact is taken away by netlink, in the namespace of the caller.
Collected end_clsact(const NetworkNamespace& where, std::unique_ptr<pipeline::Source> source) {
  Collected seen;
  where.call([&] {
    seen = stop_and_drain(*source);
    EXPECT_TRUE(balanced(*source));
    source.reset();
  });
  return seen;
}

pid_t die_with_clsact(const NetworkNamespace& where) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto source = open_clsact(where);
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  return child;
}

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

TEST(Clsact, FiltersOfAKilledRunGoWithTheNext) {
  const Pair pair;
  die_with_clsact(pair.left);
  EXPECT_EQ(count_of(clsact_filters(pair.left), "name sonde_"), 2U) << "the killed process left its filters";
  auto source = open_clsact(pair.left);
  EXPECT_EQ(count_of(clsact_filters(pair.left), "name sonde_"), 2U) << clsact_filters(pair.left);
  send_frame(pair.right, "veth1", udp_frame(), 4);
  send_frame(pair.left, "veth0", udp_frame(), 3);
  EXPECT_EQ(end_clsact(pair.left, std::move(source)).packets.size(), 7U);
  EXPECT_EQ(clsact_filters(pair.left), "");
  expect_nothing_left(pair.left);
}

// In a container sonde has the same PID at each start.
TEST(Clsact, AKilledRunWithTheSamePidIsNoObstacle) {
  const Pair pair;
  const auto run_as_pid_one = [&](bool die) {
    const pid_t outer = ::fork();
    if (outer == 0) {
      if (::unshare(CLONE_NEWPID) != 0) ::_exit(90);
      const pid_t inner = ::fork();
      if (inner == 0) {
        try {
          auto source = open_clsact(pair.left);
          if (die) ::raise(SIGKILL), ::_exit(92);  // PID 1 shrugs off its own signals
          (void)end_clsact(pair.left, std::move(source));
        } catch (const std::exception& error) {
          std::fputs(error.what(), stderr);
          ::_exit(91);
        }
        ::_exit(0);
      }
      int status = 0;
      ::waitpid(inner, &status, 0);
      ::_exit(WEXITSTATUS(status));
    }
    int status = 0;
    ::waitpid(outer, &status, 0);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(run_as_pid_one(true), 92);
  EXPECT_EQ(count_of(clsact_filters(pair.left), "handle 0x1 sonde_"), 2U) << clsact_filters(pair.left);
  EXPECT_EQ(run_as_pid_one(false), 0);
  EXPECT_EQ(clsact_filters(pair.left), "");
}

TEST(Clsact, TwoRunsLiveSideBySide) {
  const Pair pair;
  auto one = open_clsact(pair.left);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto two = open_clsact(pair.left);
    (void)!::write(ready[1], "r", 1);
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(count_of(clsact_filters(pair.left), "name sonde_"), 4U) << clsact_filters(pair.left);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  (void)end_clsact(pair.left, std::move(one));
  EXPECT_EQ(count_of(clsact_filters(pair.left), "name sonde_"), 2U) << "the other one's stay until a run removes them";
  (void)end_clsact(pair.left, open_clsact(pair.left));
  EXPECT_EQ(clsact_filters(pair.left), "");
}

TEST(Clsact, OfSomebodyElseSurvives) {
  const Pair pair;
  pair.left.run("tc qdisc add dev veth0 clsact");
  die_with_clsact(pair.left);
  const bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = -1},
                           {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "somebody", "GPL", code, 2, nullptr));
  pair.left.call([&] {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(::if_nametoindex("veth0")),
                .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program.get(), .handle = 1, .priority = 1);
    ASSERT_EQ(bpf_tc_attach(&hook, &options), 0);
  });
  auto source = open_clsact(pair.left);
  EXPECT_EQ(count_of(clsact_filters(pair.left), "name sonde_"), 2U);
  send_frame(pair.right, "veth1", udp_frame(), 4);
  EXPECT_EQ(end_clsact(pair.left, std::move(source)).packets.size(), 4U) << "seen behind the other filter";
  const auto filters = clsact_filters(pair.left);
  EXPECT_EQ(count_of(filters, "name sonde_"), 0U) << filters;
  EXPECT_EQ(count_of(filters, "name somebody"), 1U) << filters;
  EXPECT_NE(qdiscs(pair.left).find("clsact"), std::string::npos);
}

TEST(Clsact, AnEmptyQdiscOfSomebodyElseSurvives) {
  const Pair pair;
  pair.left.run("tc qdisc add dev veth0 clsact");
  (void)end_clsact(pair.left, open_clsact(pair.left));
  EXPECT_NE(qdiscs(pair.left).find("clsact"), std::string::npos);
}

}  // namespace
}  // namespace sonde::test
