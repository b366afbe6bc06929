// SPDX-License-Identifier: Apache-2.0
// What follows from findings, with findings that no machine here has.
#include "doctor/decision.hpp"

#include <gmock/gmock.h>

#include "doctor/xdp_features.hpp"

namespace sonde::doctor {
namespace {

using testing::HasSubstr;
constexpr auto y = Answer::yes;
constexpr auto n = Answer::no;
constexpr auto u = Answer::unknown;

Finding faked(Answer answer) {
  if (answer == y) return yes("TPACKET_V3");
  return answer == n ? no("broken", "mend it") : cannot_tell("not allowed", "run as root");
}

struct Case {
  const char* what;
  Answer tc, ring, memlock, tcx_in, tcx_out, clsact_in, clsact_out, socket, receive;  // found
  Answer ebpf, afpacket;                                                              // decided
  const char *source, *in, *out;
};

constexpr Case cases[] = {
    {"Linux 6.6", y, y, y, y, y, y, y, y, y, y, y, "ebpf", "tcx", "tcx"},
    {"Linux 6.1", y, y, y, n, n, y, y, y, y, y, y, "ebpf", "clsact", "clsact"},
    {"tcx without clsact", y, y, y, y, y, n, n, y, y, y, y, "ebpf", "tcx", "tcx"},
    {"one hook each", y, y, y, y, n, n, y, y, y, y, y, "ebpf", "tcx", "clsact"},
    {"no hook to receive", y, y, y, n, y, n, y, y, y, n, y, "afpacket", "AF_PACKET", "AF_PACKET"},
    {"no hook to send", y, y, y, y, n, y, n, y, y, n, y, "afpacket", "AF_PACKET", "AF_PACKET"},
    {"no ring buffer", y, n, n, y, y, y, y, y, y, n, y, "afpacket", "AF_PACKET", "AF_PACKET"},
    {"locked memory too small", y, y, n, y, y, y, y, y, y, n, y, "afpacket", "AF_PACKET", "AF_PACKET"},
    {"no programs", n, y, y, u, u, u, u, y, y, n, y, "afpacket", "AF_PACKET", "AF_PACKET"},
    {"no namespace", y, y, y, u, u, u, u, y, u, u, u, "ebpf", "unknown", "unknown"},
    {"no tcx, clsact not tried", y, y, y, n, n, u, u, y, y, u, y, "ebpf", "unknown", "unknown"},
    {"CAP_NET_RAW only", u, u, u, u, u, u, u, y, u, n, u, "afpacket", "AF_PACKET", "AF_PACKET"},
    {"nobody", u, u, u, u, u, u, u, u, u, n, n, "none", "", ""},
    {"AF_PACKET silent", n, y, y, n, n, n, n, y, n, n, n, "none", "", ""},
    {"no AF_PACKET", y, y, y, y, y, y, y, n, u, y, n, "ebpf", "tcx", "tcx"},
};

class Decision : public testing::TestWithParam<Case> {};

TEST_P(Decision, FollowsFromTheFindings) {
  const auto& c = GetParam();
  Findings found = {{"tc-programs", faked(c.tc)},           {"ring-buffer", faked(c.ring)},
                    {"memlock", faked(c.memlock)},          {"tcx-ingress", faked(c.tcx_in)},
                    {"tcx-egress", faked(c.tcx_out)},       {"clsact-ingress", faked(c.clsact_in)},
                    {"clsact-egress", faked(c.clsact_out)}, {"af-packet-socket", faked(c.socket)},
                    {"af-packet-receive", faked(c.receive)}};
  found["source-ebpf"] = ebpf_source(found);
  found["source-afpacket"] = afpacket_source(found);
  EXPECT_EQ(found["source-ebpf"].answer, c.ebpf);
  EXPECT_EQ(found["source-afpacket"].answer, c.afpacket);
  for (const auto* name : {"source-ebpf", "source-afpacket"}) {
    const auto& finding = found[name];
    EXPECT_EQ(finding.answer == y, finding.reason.empty()) << name;
    EXPECT_EQ(finding.answer == y, finding.advice.empty()) << name;
  }
  const auto capture = choose_capture(found);
  EXPECT_EQ(capture.source, c.source);
  EXPECT_EQ(capture.receive, c.in);
  EXPECT_EQ(capture.send, c.out);
  EXPECT_EQ(capture.reason.empty(), c.ebpf == y);
}

INSTANTIATE_TEST_SUITE_P(Doctor, Decision, testing::ValuesIn(cases), [](const auto& test_case) {
  std::string name;
  for (const char c : std::string(test_case.param.what)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST(Decision, NamesTheFeatureThatIsMissing) {
  const Findings found = {{"tc-programs", yes()}, {"ring-buffer", no("too old", "use perf")}};
  EXPECT_EQ(ebpf_source(found), no("ring-buffer: too old", "use perf"));
}

kernel::InterfaceInfo interface_of(LinkType type) {
  kernel::InterfaceInfo interface;
  interface.name = "if0";
  interface.up = true;
  interface.link_type = type;
  return interface;
}

const DoctorCapture by_tcx = {"ebpf", "tcx", "clsact", ""};

TEST(DescribeInterface, NativeXdpIsWhatTheDriverSays) {
  const auto ethernet = interface_of(LinkType::ethernet);
  EXPECT_EQ(describe_interface(ethernet, {xdp_basic, ""}, by_tcx).native_xdp, y);
  EXPECT_EQ(describe_interface(ethernet, {xdp_receive_scatter, ""}, by_tcx).native_xdp, n);
  EXPECT_EQ(describe_interface(ethernet, {0, ""}, by_tcx).native_xdp, n);
  EXPECT_EQ(describe_interface(ethernet, {std::nullopt, ""}, by_tcx).native_xdp, u);
  EXPECT_EQ(describe_interface(interface_of(LinkType::raw_ip), {xdp_basic, ""}, by_tcx).native_xdp, n);
}

TEST(DescribeInterface, HooksAndLink) {
  const auto ethernet = describe_interface(interface_of(LinkType::ethernet), {}, by_tcx);
  EXPECT_EQ(ethernet.link, "ethernet");
  EXPECT_EQ(ethernet.receive, "tcx");
  EXPECT_EQ(ethernet.send, "clsact");
  EXPECT_EQ(ethernet.note, "");
  EXPECT_EQ(describe_interface(interface_of(LinkType::raw_ip), {}, by_tcx).link, "raw ip");
  auto loopback = interface_of(LinkType::ethernet);
  loopback.loopback = true;
  EXPECT_EQ(describe_interface(loopback, {}, by_tcx).link, "loopback");
  EXPECT_EQ(describe_interface(loopback, {}, by_tcx).send, "");
}

TEST(DescribeInterface, ForeignXdpProgramAndDown) {
  auto interface = interface_of(LinkType::ethernet);
  interface.xdp_program = 77;
  interface.up = false;
  const auto described = describe_interface(interface, {xdp_basic, "balancer"}, by_tcx);
  EXPECT_EQ(described.xdp_program, 77U);
  EXPECT_FALSE(described.up);
  EXPECT_THAT(described.note, HasSubstr("XDP program 77 (balancer) is attached and stays"));
  EXPECT_THAT(described.note, HasSubstr("down"));
}

}  // namespace
}  // namespace sonde::doctor
