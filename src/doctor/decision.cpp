// SPDX-License-Identifier: Apache-2.0
#include "doctor/decision.hpp"

#include "doctor/xdp_features.hpp"

namespace sonde::doctor {
namespace {

constexpr const char* unknown_hook = "unknown";

// The first of the features that is not a yes, as the reason of a no.
std::optional<Finding> missing(const Findings& findings, std::initializer_list<const char*> needed) {
  for (const auto* name : needed) {
    const auto finding = find(findings, name);
    if (finding.answer != Answer::yes) return no(std::string(name) + ": " + finding.reason, finding.advice);
  }
  return {};
}

Finding without_hook(const Findings& findings, const char* direction) {
  const auto clsact = find(findings, std::string("clsact-") + direction);
  return no(std::string("neither tcx nor clsact for ") + direction + ": " + clsact.reason, clsact.advice);
}

std::string link_name(const kernel::InterfaceInfo& interface) {
  if (interface.loopback) return "loopback";
  return interface.link_type == LinkType::ethernet ? "ethernet" : "raw ip";
}

Answer native_xdp(const kernel::InterfaceInfo& interface, const XdpFacts& xdp) {
  if (interface.link_type != LinkType::ethernet) return Answer::no;  // sonde's XDP program reads Ethernet
  if (!xdp.features) return Answer::unknown;
  return (*xdp.features & xdp_basic) != 0 ? Answer::yes : Answer::no;
}

std::string notes(const kernel::InterfaceInfo& interface, const XdpFacts& xdp) {
  std::string text;
  const auto add = [&](const std::string& note) { text += (text.empty() ? "" : "; ") + note; };
  if (interface.xdp_program != 0)
    add("XDP program " + std::to_string(interface.xdp_program) +
        (xdp.program_name.empty() ? "" : " (" + xdp.program_name + ")") +
        " is attached and stays: what it drops or redirects is not seen");
  if (!interface.up) add("down");
  if (interface.loopback) add("each packet is seen once, as received");
  return text;
}

}  // namespace

std::string hook_for(const Findings& findings, const std::string& direction) {
  bool untried = false;
  for (const char* hook : {"tcx", "clsact"}) {
    const auto answer = find(findings, hook + ("-" + direction)).answer;
    if (answer == Answer::yes) return hook;
    untried = untried || answer == Answer::unknown;
  }
  return untried ? unknown_hook : "";
}

Finding ebpf_source(const Findings& findings) {
  if (const auto lacking = missing(findings, {"tc-programs", "ring-buffer", "memlock"})) return *lacking;
  const auto receive = hook_for(findings, "ingress");
  const auto send = hook_for(findings, "egress");
  if (receive.empty()) return without_hook(findings, "ingress");
  if (send.empty()) return without_hook(findings, "egress");
  if (receive != unknown_hook && send != unknown_hook) return yes(receive == send ? receive : receive + ", " + send);
  const auto untried = find(findings, receive == unknown_hook ? "clsact-ingress" : "clsact-egress");
  return cannot_tell("the programs load; the hooks were not tried: " + untried.reason, untried.advice);
}

Finding afpacket_source(const Findings& findings) {
  const auto socket = find(findings, "af-packet-socket");
  if (socket.answer != Answer::yes) return no("af-packet-socket: " + socket.reason, socket.advice);
  const auto receive = find(findings, "af-packet-receive");
  if (receive.answer == Answer::yes) return yes(receive.hook);
  if (receive.answer == Answer::no) return no("af-packet-receive: " + receive.reason, receive.advice);
  return cannot_tell("the socket opens; receiving was not tried: " + receive.reason, receive.advice);
}

DoctorCapture choose_capture(const Findings& findings) {
  const auto ebpf = find(findings, "source-ebpf");
  if (ebpf.answer != Answer::no)
    return {"ebpf", hook_for(findings, "ingress"), hook_for(findings, "egress"), ebpf.reason};
  const auto sockets = find(findings, "source-afpacket");
  const auto because = "no eBPF: " + ebpf.reason;
  if (sockets.answer != Answer::no) return {"afpacket", "AF_PACKET", "AF_PACKET", because};
  return {"none", "", "", because + "; no AF_PACKET: " + sockets.reason};
}

DoctorInterface describe_interface(const kernel::InterfaceInfo& interface, const XdpFacts& xdp,
                                   const DoctorCapture& capture) {
  return {.name = interface.name,
          .up = interface.up,
          .link = link_name(interface),
          .native_xdp = native_xdp(interface, xdp),
          .xdp_program = interface.xdp_program,
          .receive = capture.receive,
          .send = interface.loopback ? "" : capture.send,
          .note = notes(interface, xdp)};
}

}  // namespace sonde::doctor
