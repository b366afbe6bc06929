// SPDX-License-Identifier: Apache-2.0
#include "doctor/features.hpp"

#include <linux/capability.h>

#include <cerrno>

#include "doctor/bpf_call.hpp"
#include "doctor/decision.hpp"
#include "doctor/files.hpp"
#include "doctor/lockdown.hpp"
#include "sensors/afpacket/packet_socket.hpp"
#include "sensors/afpacket/ring.hpp"

namespace sonde::doctor {
namespace {

template <int number>
Finding try_capability(const Examination& examination) {
  return capability(examination.privileges, number);
}

Finding try_lockdown(const Examination& examination) { return try_kernel_reads(examination.privileges); }

// A no is usual and costs sonde nothing: its programs need CAP_NET_ADMIN anyhow.
Finding look_at_unprivileged_bpf(const Examination&) {
  const auto value = read_file("/proc/sys/kernel/unprivileged_bpf_disabled");
  if (!value) return cannot_tell(value.error().text(), "nothing to do; sonde does not need it");
  if (*value == "0") return yes("unprivileged_bpf_disabled = 0");
  auto finding = no("only processes with CAP_BPF may use bpf()", "nothing to do; sonde does not need it");
  finding.hook = "unprivileged_bpf_disabled = " + *value;
  return finding;
}

Finding try_bpf_call(const Examination& examination) {
  const auto map = create_map(BPF_MAP_TYPE_ARRAY, sizeof(std::uint32_t), sizeof(std::uint32_t), 1);
  if (map) return yes();
  if (map.error().code == ENOSYS) return no(map.error().text(), "needs a kernel with CONFIG_BPF_SYSCALL");
  return failure(map.error(), examination.privileges, CAP_BPF, "needs a kernel with CONFIG_BPF_SYSCALL");
}

Finding look_at_btf(const Examination&) {
  constexpr const char* path = "/sys/kernel/btf/vmlinux";
  const auto text = read_file(path);
  if (text) return yes(path);
  return no(text.error().text(), "needs CONFIG_DEBUG_INFO_BTF; only owners, retrans, drops and connections need it");
}

Finding try_jit(const Examination& examination) {
  constexpr const char* advice = "sysctl net.core.bpf_jit_enable=1; needs CONFIG_BPF_JIT";
  const auto program = load_instructions(BPF_PROG_TYPE_XDP, pass_instructions(), 0);
  if (!program) return failure(program.error(), examination.privileges, CAP_NET_ADMIN, "needs CONFIG_BPF_SYSCALL");
  const auto size = machine_code_size(program->get());
  if (!size) return failure(size.error(), examination.privileges, CAP_BPF, advice);
  return *size > 0 ? yes() : no("programs are interpreted", advice);
}

Finding try_multi_buffer_xdp(const Examination& examination) {
  const auto program = load_instructions(BPF_PROG_TYPE_XDP, pass_instructions(), BPF_F_XDP_HAS_FRAGS);
  if (program) return yes();
  return failure(program.error(), examination.privileges, CAP_NET_ADMIN,
                 "needs Linux 5.18; --xdp-mode off, the default, does without");
}

// Not bound, so it changes nothing here; what it receives is tried in a network namespace of its own.
Finding try_packet_socket(const Examination& examination) {
  const auto socket = afpacket::PacketSocket::make();
  if (!socket) return failure(socket.error(), examination.privileges, CAP_NET_RAW, "needs CONFIG_PACKET");
  const auto ring = afpacket::Ring::make(socket->fd(), afpacket::RingSize::of(1U << 20, 20));
  if (!ring) return failure(ring.error(), examination.privileges, CAP_NET_RAW, "needs TPACKET_V3 (Linux 3.2)");
  return yes("TPACKET_V3");
}

Finding decide_ebpf(const Examination& examination) { return ebpf_source(examination.found); }
Finding decide_afpacket(const Examination& examination) { return afpacket_source(examination.found); }
Finding decide_file(const Examination&) { return yes(); }

constexpr const char *privileges = "privileges", *kernel_group = "kernel", *transport = "transport",
                     *programs = "programs", *hooks = "hooks", *owners_group = "owners", *proxy_group = "proxy",
                     *sources = "sources";

constexpr FeatureRow table[] = {
    {privileges, "CAP_BPF", "load programs, create maps", try_capability<CAP_BPF>},
    {privileges, "CAP_NET_ADMIN", "load network programs and attach them", try_capability<CAP_NET_ADMIN>},
    {privileges, "CAP_PERFMON", "read the perf buffer; programs that read kernel memory", try_capability<CAP_PERFMON>},
    {privileges, "CAP_NET_RAW", "AF_PACKET sockets", try_capability<CAP_NET_RAW>},
    {privileges, "CAP_SYS_ADMIN", "network namespaces, in which doctor tries hooks", try_capability<CAP_SYS_ADMIN>},
    {privileges, "no-lockdown", "kernel lockdown lets programs read kernel memory", try_lockdown},
    {privileges, "unprivileged-bpf", "bpf() without CAP_BPF", look_at_unprivileged_bpf},
    {privileges, "memlock", "the default buffer fits the limit of locked memory", nullptr},
    {kernel_group, "bpf-syscall", "the bpf() system call", try_bpf_call},
    {kernel_group, "btf", "types of the kernel; owners need them, packets do not", look_at_btf},
    {kernel_group, "bpf-jit", "programs run as machine code", try_jit},
    {transport, "ring-buffer", "events to user space", nullptr},
    {transport, "perf-buffer", "events by --transport perf", nullptr},
    {transport, "perf-events", "an event came through the perf buffer", nullptr},
    {programs, "tc-programs", "capture at tcx and clsact", nullptr},
    {programs, "xdp-program", "capture at XDP", nullptr},
    {programs, "xdp-multi-buffer", "XDP on jumbo frames", try_multi_buffer_xdp},
    {programs, "filter-expression", "a pcap-filter expression inside the program", nullptr},
    {programs, "filter-in-kernel", "it let one packet through and held another back", nullptr},
    {hooks, "tcx-ingress", "received packets", nullptr},
    {hooks, "tcx-egress", "sent packets", nullptr},
    {hooks, "clsact-ingress", "received packets, where there is no tcx", nullptr},
    {hooks, "clsact-egress", "sent packets, where there is no tcx", nullptr},
    {hooks, "xdp-generic", "received packets by --xdp-mode generic", nullptr},
    {hooks, "xdp-native", "received packets by --xdp-mode native (tried on veth)", nullptr},
    {owners_group, "owners-fentry", "who sends and accepts, by fentry and fexit", nullptr},
    {owners_group, "owners-tracepoint", "who sends, by tp_btf", nullptr},
    {owners_group, "owners-kprobe", "who sends and accepts, by kprobe and kretprobe", nullptr},
    {owners_group, "owners-cgroup", "who opens and connects, by cgroup v2 programs", nullptr},
    {owners_group, "owners-seed", "sockets that were open before", nullptr},
    {owners_group, "process-events", "processes that live too short for /proc", nullptr},
    {proxy_group, "proxy-bypass", "forwarding bypass: both peers on this host", nullptr},
    {proxy_group, "proxy-wire", "forwarding wire: both peers remote, at the cost of routing", nullptr},
    {proxy_group, "proxy-sockmap", "forwarding sockmap: from socket to socket in the kernel", nullptr},
    {proxy_group, "proxy-splice", "forwarding splice: through pipes", nullptr},
    {proxy_group, "proxy-copy", "forwarding copy: through memory", nullptr},
    {proxy_group, "proxy-client-filter", "xdp_ip_filter: the proxy's client list at the driver", nullptr},
    {proxy_group, "proxy-dns-cache", "DNS_CACHE: the proxy's names and addresses", nullptr},
    {sources, "af-packet-socket", "a packet socket with a ring", try_packet_socket},
    {sources, "af-packet-receive", "a packet came through it", nullptr},
    {sources, "af-packet-fanout", "capture --source afpacket --workers N", nullptr},
    {sources, "source-ebpf", "capture --source ebpf", decide_ebpf},
    {sources, "source-afpacket", "capture --source afpacket", decide_afpacket},
    {sources, "source-file", "capture -r FILE", decide_file},
};

}  // namespace

std::span<const FeatureRow> feature_table() { return table; }

std::vector<DoctorFeature> examine_features(Examination& examination) {
  std::vector<DoctorFeature> features;
  for (const auto& row : table) {
    if (row.probe != nullptr) examination.found[row.name] = row.probe(examination);
    const auto finding = find(examination.found, row.name);
    features.push_back(
        {row.group, row.name, row.purpose, finding.answer, finding.hook, finding.reason, finding.advice});
  }
  return features;
}

}  // namespace sonde::doctor
