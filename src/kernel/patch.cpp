// SPDX-License-Identifier: Apache-2.0
#include "kernel/patch.hpp"

namespace sonde::kernel {
namespace {

bool targets_subprogram(const bpf_insn& instruction) {
  const bool call = instruction.code == (BPF_JMP | BPF_CALL) && instruction.src_reg == BPF_PSEUDO_CALL;
  const bool address = instruction.code == (BPF_LD | BPF_IMM | BPF_DW) && instruction.src_reg == BPF_PSEUDO_FUNC;
  return call || address;
}

}  // namespace

std::vector<bpf_insn> replace_range(std::span<const bpf_insn> program, std::size_t start, std::size_t end,
                                    std::span<const bpf_insn> body) {
  const auto growth = static_cast<long>(body.size()) - static_cast<long>(end - start);
  // New position of an instruction outside the range; the first one of the range stays where it is.
  const auto moved = [&](long old) { return old >= static_cast<long>(end) ? old + growth : old; };

  std::vector<bpf_insn> result(program.begin(), program.end());
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (!targets_subprogram(result[i])) continue;
    const long here = static_cast<long>(i);
    const long target = here + 1 + result[i].imm;
    result[i].imm = static_cast<__s32>(moved(target) - moved(here) - 1);
  }
  const auto first = result.begin() + static_cast<long>(start);
  result.erase(first, result.begin() + static_cast<long>(end));
  result.insert(result.begin() + static_cast<long>(start), body.begin(), body.end());
  return result;
}

}  // namespace sonde::kernel
