// SPDX-License-Identifier: Apache-2.0
// Runs translated filters in the kernel with BPF_PROG_TEST_RUN.
#pragma once
#include <linux/bpf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "filter/translate.hpp"

namespace sonde::test {

struct FileCloser {
  void operator()(const int* fd) const;
};

/// A program in the kernel. Empty fd: the verifier refused it, and `log` says why.
struct KernelProgram {
  std::unique_ptr<int, FileCloser> fd;
  std::string log;
};

/// Loads the instructions as an XDP (with fragments) or a tc program.
[[nodiscard]] KernelProgram load_program(std::span<const bpf_insn> code, filter::ProgramContext context);

/// A main program that calls `code` as a static subprogram with its own context and returns its value.
[[nodiscard]] std::vector<bpf_insn> calling_program(std::span<const bpf_insn> code);

/// The same for tc, after it took skb->mark as VLAN TCI and skb->priority as TPID (network order) and pushed that tag
/// with bpf_skb_vlan_push(), which keeps it beside the packet.
[[nodiscard]] std::vector<bpf_insn> tagging_program(std::span<const bpf_insn> code);

/// The program with every direct packet access made to fail its bounds check, so that each load takes the helper.
[[nodiscard]] std::vector<bpf_insn> without_direct_access(std::span<const bpf_insn> code);

struct Tag {
  std::uint16_t tpid_network_order = 0;
  std::uint16_t tci = 0;
};

/// Return value of the program for the packet; none if the kernel does not take such a packet.
[[nodiscard]] std::optional<std::uint32_t> run_program(const KernelProgram& program,
                                                       std::span<const std::uint8_t> packet,
                                                       filter::ProgramContext context, Tag tag = {});

}  // namespace sonde::test
