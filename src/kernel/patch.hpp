// SPDX-License-Identifier: Apache-2.0
// Exchanges the body of a subprogram in a relocated program, right before it goes to the kernel.
#pragma once
#include <linux/bpf.h>

#include <cstddef>
#include <span>
#include <vector>

namespace sonde::kernel {

/// `program` with its instructions [start, end) replaced by `body`. Calls between subprograms (and addresses of
/// subprograms) that cross the range are corrected; jumps never leave their subprogram, so none crosses it.
[[nodiscard]] std::vector<bpf_insn> replace_range(std::span<const bpf_insn> program, std::size_t start, std::size_t end,
                                                  std::span<const bpf_insn> body);

}  // namespace sonde::kernel
