// SPDX-License-Identifier: Apache-2.0
// Classic BPF -> eBPF, so that a pcap-filter(7) expression runs inside our own programs.
#pragma once
#include <linux/bpf.h>
#include <linux/filter.h>

#include <span>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::filter {

/// The context that the eBPF subprogram gets in r1.
enum class ProgramContext { xdp, skb };

/// Body of a subprogram `u32 expression(ctx)`: r1 = struct xdp_md * or struct __sk_buff *, returns non-zero for a
/// match. Loads beyond the packet reject it, as in classic BPF. With skb, a VLAN tag that the kernel keeps beside the
/// packet (skb->vlan_present) is seen where it would be on the wire. Data behind the linear part is read with helpers
/// (bpf_skb_load_bytes; bpf_xdp_load_bytes, Linux 5.18). Uses at most 256 bytes of stack. Position-independent: the
/// only jumps are inside, the only calls are helpers.
///
/// Same verdict as libpcap's bpf_filter() on the whole packet, with one exception: `protochain` walks over at most 100
/// extension headers (240 in total with several protochains) and rejects packets that have more, because the kernel
/// only takes loops whose end it sees. Fails for malformed programs, more than 11 loops, and translations with a jump
/// over more than 32767 instructions.
[[nodiscard]] Result<std::vector<bpf_insn>> translate(std::span<const sock_filter> program, ProgramContext context);

}  // namespace sonde::filter
