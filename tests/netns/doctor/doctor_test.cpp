// SPDX-License-Identifier: Apache-2.0
// doctor as root, against what the kernel, ip and a real capture say.
#include "sonde/doctor.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "doctor/bpf_call.hpp"
#include "harness/command.hpp"
#include "harness/netns.hpp"
#include "kernel/attach.hpp"
#include "sonde/capture.hpp"

namespace sonde::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

// Does the kernel have the function that attaches tcx links? Nothing that doctor looks at.
bool has_tcx() {
  std::ifstream symbols("/proc/kallsyms");
  for (std::string line; std::getline(symbols, line);)
    if (line.ends_with(" tcx_link_attach")) return true;
  return false;
}

TEST(Doctor, EveryFeatureOfTheKernelIsAYes) {
  const auto report = examine();
  for (const auto* name : {"CAP_BPF",           "CAP_NET_ADMIN",       "bpf-syscall",      "ring-buffer",
                           "perf-buffer",       "perf-events",         "tc-programs",      "xdp-program",
                           "xdp-multi-buffer",  "filter-expression",   "filter-in-kernel", "clsact-ingress",
                           "clsact-egress",     "xdp-generic",         "xdp-native",       "af-packet-socket",
                           "af-packet-receive", "af-packet-fanout",    "source-ebpf",      "source-afpacket",
                           "source-file",       "proxy-bypass",        "proxy-wire",       "proxy-splice",
                           "proxy-copy",        "proxy-client-filter", "proxy-dns-cache"})
    EXPECT_EQ(doctor_answer(report, name), Answer::yes) << name;
  const auto tcx = has_tcx() ? Answer::yes : Answer::no;
  EXPECT_EQ(doctor_answer(report, "tcx-ingress"), tcx);
  EXPECT_EQ(doctor_answer(report, "tcx-egress"), tcx);
  EXPECT_EQ(report.capture.source, "ebpf");
}

TEST(Doctor, ForetellsTheHooksOfACapture) {
  const NetworkNamespace left, right;
  add_veth(left, "veth0", right, "veth1");
  DoctorReport report;
  std::vector<std::string> notices;
  left.call([&] {
    report = examine();
    CaptureOptions options;
    options.interfaces = {"veth0"};
    options.print = false;
    const auto capture = Capture::make(options);
    if (capture) notices = capture->notices();
  });
  EXPECT_THAT(notices, Contains("source " + report.capture.source));
  EXPECT_THAT(notices, Contains("veth0: in by " + report.capture.receive + ", out by " + report.capture.send));
}

TEST(Doctor, ShowsInterfacesAndAForeignXdpProgramThatStays) {
  const NetworkNamespace left, right;
  add_veth(left, "veth0", right, "veth1");
  left.run("ip link add veth2 type veth peer name veth3");
  DoctorReport report;
  std::uint32_t before = 0, after = 0;
  left.call([&] {
    const auto index = static_cast<std::uint32_t>(std::stoul(test::run("ip -o link show veth0 | cut -d: -f1")));
    const auto program = doctor::load_instructions(BPF_PROG_TYPE_XDP, doctor::pass_instructions(), 0);
    ASSERT_TRUE(program);
    const auto link = kernel::attach_xdp(program->get(), index, kernel::XdpMode::generic);
    ASSERT_TRUE(link);
    before = kernel::query_xdp(index).value_or(0);
    report = examine();
    after = kernel::query_xdp(index).value_or(0);
  });
  EXPECT_NE(before, 0U);
  EXPECT_EQ(after, before);
  ASSERT_EQ(report.interfaces.size(), 4U);
  for (const auto& interface : report.interfaces) {
    EXPECT_EQ(interface.up, interface.name == "lo" || interface.name == "veth0");
    EXPECT_EQ(interface.link, interface.name == "lo" ? "loopback" : "ethernet");
    EXPECT_EQ(interface.receive, report.capture.receive);
    EXPECT_EQ(interface.xdp_program, interface.name == "veth0" ? before : 0U);
    if (interface.name != "veth0") continue;
    EXPECT_NE(interface.native_xdp, Answer::no);
    EXPECT_THAT(interface.note, HasSubstr("XDP program " + std::to_string(before)));
    EXPECT_THAT(interface.note, HasSubstr("stays"));
  }
}

std::size_t open_files() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

TEST(Doctor, LeavesNothingBehind) {
  const NetworkNamespace where;
  where.call([&] {
    const auto files = open_files();
    const auto network = std::filesystem::read_symlink("/proc/thread-self/ns/net");
    const auto links = test::run("ip link");
    (void)examine();
    EXPECT_EQ(open_files(), files);
    EXPECT_EQ(std::filesystem::read_symlink("/proc/thread-self/ns/net"), network);
    EXPECT_EQ(test::run("ip link"), links);
    EXPECT_EQ(test::run("tc qdisc show | grep -c clsact || true"), "0\n");
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  });
}

TEST(Doctor, TheSameTwice) {
  const auto first = examine();
  const auto second = examine();
  ASSERT_EQ(first.features.size(), second.features.size());
  for (std::size_t i = 0; i < first.features.size(); ++i)
    EXPECT_EQ(first.features[i].answer, second.features[i].answer) << first.features[i].name;
}

}  // namespace
}  // namespace sonde::test
