// SPDX-License-Identifier: Apache-2.0
#include "filter/assembler.hpp"

#include <fmt/format.h>

#include <limits>

namespace sonde::filter {
namespace insn {
namespace {

bpf_insn make(int code, int to, int from, int offset, std::int32_t value) {
  bpf_insn result = {};
  result.code = static_cast<__u8>(code);
  result.dst_reg = static_cast<__u8>(to & 15);
  result.src_reg = static_cast<__u8>(from & 15);
  result.off = static_cast<__s16>(offset);
  result.imm = value;
  return result;
}

int size_code(unsigned bytes) {
  if (bytes == 8) return BPF_DW;
  if (bytes == 4) return BPF_W;
  return bytes == 2 ? BPF_H : BPF_B;
}

std::int32_t bits(std::uint32_t value) { return static_cast<std::int32_t>(value); }

}  // namespace

bpf_insn move64(int to, int from) { return make(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
bpf_insn move32(int to, int from) { return make(BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0); }
bpf_insn set32(int to, std::uint32_t value) { return make(BPF_ALU | BPF_MOV | BPF_K, to, 0, 0, bits(value)); }
bpf_insn alu64(int op, int to, std::int32_t value) { return make(BPF_ALU64 | op | BPF_K, to, 0, 0, value); }
bpf_insn alu64_register(int op, int to, int from) { return make(BPF_ALU64 | op | BPF_X, to, from, 0, 0); }
bpf_insn alu32(int op, int to, std::uint32_t value) { return make(BPF_ALU | op | BPF_K, to, 0, 0, bits(value)); }
bpf_insn alu32_register(int op, int to, int from) { return make(BPF_ALU | op | BPF_X, to, from, 0, 0); }
bpf_insn to_big_endian(int reg, unsigned bytes) {
  return make(BPF_ALU | BPF_END | BPF_TO_BE, reg, 0, 0, static_cast<std::int32_t>(bytes * 8));
}
bpf_insn load(unsigned bytes, int to, int from, int offset) {
  return make(BPF_LDX | BPF_MEM | size_code(bytes), to, from, offset, 0);
}
bpf_insn store(unsigned bytes, int to, int offset, int from) {
  return make(BPF_STX | BPF_MEM | size_code(bytes), to, from, offset, 0);
}
bpf_insn store_value(unsigned bytes, int to, int offset, std::int32_t value) {
  return make(BPF_ST | BPF_MEM | size_code(bytes), to, 0, offset, value);
}
bpf_insn call(int helper) { return make(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
bpf_insn leave() { return make(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }
bpf_insn always() { return make(BPF_JMP | BPF_JA, 0, 0, 0, 0); }
bpf_insn jump64(int op, int reg, std::int32_t value) { return make(BPF_JMP | op | BPF_K, reg, 0, 0, value); }
bpf_insn jump64_register(int op, int reg, int other) { return make(BPF_JMP | op | BPF_X, reg, other, 0, 0); }
bpf_insn jump32(int op, int reg, std::uint32_t value) { return make(BPF_JMP32 | op | BPF_K, reg, 0, 0, bits(value)); }
bpf_insn jump32_register(int op, int reg, int other) { return make(BPF_JMP32 | op | BPF_X, reg, other, 0, 0); }

}  // namespace insn

Assembler::Label Assembler::label() {
  labels_.push_back(0);
  return labels_.size() - 1;
}

void Assembler::bind(Label label) { labels_[label] = code_.size(); }

void Assembler::add(bpf_insn instruction) { code_.push_back(instruction); }

void Assembler::jump(bpf_insn instruction, Label to) {
  jumps_.push_back({code_.size(), to});
  code_.push_back(instruction);
}

Result<std::vector<bpf_insn>> Assembler::finish() {
  for (const Jump& jump : jumps_) {
    const auto distance = static_cast<std::int64_t>(labels_[jump.to]) - static_cast<std::int64_t>(jump.from) - 1;
    if (distance > std::numeric_limits<__s16>::max() || distance < std::numeric_limits<__s16>::min()) {
      return fail(ErrorKind::failed,
                  fmt::format("filter expression: too long for the kernel: its translation has {} instructions, and a "
                              "jump over {} of them; at most 32767 can be jumped over",
                              code_.size(), distance),
                  "shorten the expression, or move addresses and ports into --ip and --port");
    }
    code_[jump.from].off = static_cast<__s16>(distance);
  }
  return std::move(code_);
}

}  // namespace sonde::filter
