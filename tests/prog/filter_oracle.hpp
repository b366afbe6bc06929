// SPDX-License-Identifier: Apache-2.0
// libpcap's own interpreter, in a file of its own: its struct bpf_insn and the kernel's do not fit into one.
#pragma once
#include <linux/filter.h>

#include <cstdint>
#include <span>

namespace sonde::test {

/// What libpcap's bpf_filter() returns for a packet that was captured whole.
[[nodiscard]] std::uint32_t libpcap_verdict(std::span<const sock_filter> program, std::span<const std::uint8_t> packet);

}  // namespace sonde::test
