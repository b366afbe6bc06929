// SPDX-License-Identifier: Apache-2.0
#include "filter_kernel.hpp"

#include <bpf/bpf.h>
#include <unistd.h>

#include <cstddef>

#include "filter/assembler.hpp"

namespace sonde::test {
namespace {

namespace insn = filter::insn;

bpf_insn call_subprogram(int distance) {
  bpf_insn result = insn::call(distance);
  result.src_reg = BPF_PSEUDO_CALL;
  return result;
}

int try_load(std::span<const bpf_insn> code, filter::ProgramContext context, std::string* log) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  const bool xdp = context == filter::ProgramContext::xdp;
  if (xdp) options.prog_flags = BPF_F_XDP_HAS_FRAGS;
  if (log != nullptr) {
    options.log_buf = log->data();
    options.log_size = static_cast<__u32>(log->size());
    options.log_level = 1;
  }
  return bpf_prog_load(xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS, "sonde_filter", "GPL", code.data(),
                       code.size(), &options);
}

std::vector<bpf_insn> joined(std::vector<bpf_insn> main, std::span<const bpf_insn> subprogram) {
  main.insert(main.end(), subprogram.begin(), subprogram.end());
  return main;
}

}  // namespace

void FileCloser::operator()(const int* fd) const {
  close(*fd);
  delete fd;  // NOLINT(cppcoreguidelines-owning-memory): this is the deleter of its smart pointer
}

KernelProgram load_program(std::span<const bpf_insn> code, filter::ProgramContext context) {
  KernelProgram program;
  int fd = try_load(code, context, nullptr);
  if (fd < 0) {
    program.log.resize(16U << 20);
    fd = try_load(code, context, &program.log);
    program.log.resize(program.log.find('\0'));
    if (program.log.size() > 4000) program.log.erase(0, program.log.size() - 4000);
  }
  if (fd >= 0) program.fd.reset(new int(fd));  // NOLINT(cppcoreguidelines-owning-memory): deleted by FileCloser
  return program;
}

std::vector<bpf_insn> calling_program(std::span<const bpf_insn> code) {
  return joined({call_subprogram(1), insn::leave()}, code);
}

std::vector<bpf_insn> tagging_program(std::span<const bpf_insn> code) {
  return joined({insn::move64(6, 1), insn::load(4, 2, 1, offsetof(__sk_buff, priority)),
                 insn::load(4, 3, 1, offsetof(__sk_buff, mark)), insn::call(BPF_FUNC_skb_vlan_push), insn::move64(1, 6),
                 call_subprogram(1), insn::leave()},
                code);
}

std::vector<bpf_insn> without_direct_access(std::span<const bpf_insn> code) {
  std::vector<bpf_insn> result(code.begin(), code.end());
  for (bpf_insn& instruction : result) {
    const bool bounds_check = instruction.code == (BPF_JMP | BPF_JGT | BPF_X) && instruction.dst_reg == BPF_REG_3 &&
                              instruction.src_reg == BPF_REG_1;
    // The check of a virtual length looks the same; it follows an addition to r1.
    const bool on_data_end = bounds_check && (&instruction)[-1].dst_reg == BPF_REG_3;
    if (!on_data_end) continue;
    const __s16 offset = instruction.off;
    instruction = insn::jump32(BPF_JGE, BPF_REG_7, 0);
    instruction.off = offset;
  }
  return result;
}

std::optional<std::uint32_t> run_program(const KernelProgram& program, std::span<const std::uint8_t> packet,
                                         filter::ProgramContext context, Tag tag) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  __sk_buff skb = {};
  options.data_in = packet.data();
  options.data_size_in = static_cast<__u32>(packet.size());
  if (context == filter::ProgramContext::skb) {
    skb.mark = tag.tci;
    skb.priority = tag.tpid_network_order;
    options.ctx_in = &skb;
    options.ctx_size_in = sizeof(skb);
  }
  if (bpf_prog_test_run_opts(*program.fd, &options) != 0) return std::nullopt;
  return options.retval;
}

}  // namespace sonde::test
