// SPDX-License-Identifier: Apache-2.0
// bpf(2) for probes of a few instructions, without an object file.
#pragma once
#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::doctor {

[[nodiscard]] Result<Fd> create_map(bpf_map_type type, std::uint32_t key_size, std::uint32_t value_size,
                                    std::uint32_t entries);
[[nodiscard]] Result<Fd> load_instructions(bpf_prog_type type, std::span<const bpf_insn> instructions,
                                           std::uint32_t flags);

/// Bytes of machine code of a program; 0: it is interpreted.
[[nodiscard]] Result<std::uint32_t> machine_code_size(int program_fd);

/// Name of the program with this id; empty when it cannot be asked for.
[[nodiscard]] std::string program_name(std::uint32_t id);

/// r0 = 2 (XDP_PASS); exit.
[[nodiscard]] std::span<const bpf_insn> pass_instructions();
/// Calls bpf_probe_read_kernel, which lockdown takes away.
[[nodiscard]] std::span<const bpf_insn> kernel_read_instructions();

}  // namespace sonde::doctor
