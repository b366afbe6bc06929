// SPDX-License-Identifier: Apache-2.0
// doctor with less than root.
#include <gmock/gmock.h>
#include <linux/capability.h>

#include "restricted.hpp"

namespace sonde::test {
namespace {

using testing::HasSubstr;

std::uint64_t bit(int capability) { return std::uint64_t{1} << capability; }

// What is not a yes says why and what to do.
void expect_reasons(const nlohmann::json& report) {
  for (const auto& row : report["features"]) {
    if (row["answer"] == "yes") continue;
    EXPECT_NE(row["reason"], "") << row;
    EXPECT_NE(row["advice"], "") << row;
  }
}

TEST(DoctorPrivileges, NobodyIsToldWhatRootWouldKnow) {
  const auto run = run_doctor(become_nobody);
  EXPECT_EQ(run.status, 3);
  EXPECT_EQ(run.report["capture"]["source"], "none");
  EXPECT_EQ(run.report["privileges"], "user 65534");
  for (const auto* name : {"CAP_BPF", "CAP_NET_ADMIN", "CAP_NET_RAW", "source-ebpf", "source-afpacket"})
    EXPECT_EQ(feature(run.report, name)["answer"], "no") << name;
  for (const auto* name :
       {"tc-programs", "tcx-ingress", "clsact-egress", "xdp-native", "ring-buffer", "bpf-jit", "af-packet-socket"}) {
    EXPECT_EQ(feature(run.report, name)["answer"], "unknown") << name;
    EXPECT_THAT(std::string(feature(run.report, name)["advice"]), HasSubstr("run as root")) << name;
  }
  EXPECT_EQ(feature(run.report, "source-file")["answer"], "yes");
  expect_reasons(run.report);
}

TEST(DoctorPrivileges, WithoutNamespacesTheHooksAreNotTried) {
  const auto run = run_doctor([] { give_up(bit(CAP_SYS_ADMIN)); });
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.report["capture"]["source"], "ebpf");
  EXPECT_EQ(run.report["capture"]["receive"], "unknown");
  EXPECT_EQ(feature(run.report, "tc-programs")["answer"], "yes");
  for (const auto* name : {"tcx-ingress", "clsact-egress", "xdp-generic", "af-packet-receive"}) {
    EXPECT_EQ(feature(run.report, name)["answer"], "unknown") << name;
    EXPECT_THAT(std::string(feature(run.report, name)["reason"]), HasSubstr("network namespace")) << name;
  }
  expect_reasons(run.report);
}

TEST(DoctorPrivileges, WithoutBpfAfPacketTakesOver) {
  const auto run =
      run_doctor([] { give_up(bit(CAP_SYS_ADMIN) | bit(CAP_BPF) | bit(CAP_NET_ADMIN) | bit(CAP_PERFMON)); });
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.report["capture"]["source"], "afpacket");
  EXPECT_EQ(run.report["capture"]["receive"], "AF_PACKET");
  EXPECT_EQ(feature(run.report, "source-ebpf")["answer"], "no");
  expect_reasons(run.report);
}

TEST(DoctorPrivileges, WithoutNetRawEbpfStillWorks) {
  const auto run = run_doctor([] { give_up(bit(CAP_NET_RAW)); });
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.report["capture"]["source"], "ebpf");
  EXPECT_EQ(feature(run.report, "clsact-ingress")["answer"], "yes");
  EXPECT_EQ(feature(run.report, "source-afpacket")["answer"], "no");
}

}  // namespace
}  // namespace sonde::test
