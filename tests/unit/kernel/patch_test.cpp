// SPDX-License-Identifier: Apache-2.0
#include "kernel/patch.hpp"

#include <gtest/gtest.h>

namespace sonde::kernel {
namespace {

bpf_insn plain(int imm) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = imm};
}
bpf_insn call(int distance) {
  return {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = BPF_PSEUDO_CALL, .off = 0, .imm = distance};
}
bpf_insn helper(int number) {
  return {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = number};
}
bpf_insn address(int distance) {
  return {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_FUNC, .off = 0, .imm = distance};
}

// Main program 0..3, subprogram A 4..5, subprogram B 6..7.
std::vector<bpf_insn> program() {
  return {call(3), call(4), helper(5), plain(0), plain(40), plain(41), plain(60), call(-4)};
}

std::size_t target(const std::vector<bpf_insn>& code, std::size_t at) {
  return static_cast<std::size_t>(static_cast<long>(at) + 1 + code[at].imm);
}

std::vector<bpf_insn> body(std::size_t size) {
  std::vector<bpf_insn> code;
  code.reserve(size);
  for (std::size_t i = 0; i < size; ++i) code.push_back(plain(900 + static_cast<int>(i)));
  return code;
}

TEST(ReplaceRange, KeepsCallsOnTheirSubprograms) {
  for (const std::size_t size : {1U, 2U, 3U, 50U}) {
    SCOPED_TRACE(size);
    const auto code = replace_range(program(), 4, 6, body(size));
    ASSERT_EQ(code.size(), 6 + size);
    EXPECT_EQ(target(code, 0), 4U) << "A stays where it was";
    EXPECT_EQ(target(code, 1), 4 + size) << "B has moved";
    EXPECT_EQ(target(code, 5 + size), 4U) << "a call back from behind the range";
    EXPECT_EQ(code[2].imm, 5) << "numbers of helpers are no distances";
    for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(code[4 + i].imm, 900 + static_cast<int>(i));
    EXPECT_EQ(code[4 + size].imm, 60);
  }
}

TEST(ReplaceRange, KeepsAddressesOfSubprograms) {
  const std::vector<bpf_insn> code = {address(4), plain(0), plain(1), plain(20), plain(21), plain(30)};
  const auto patched = replace_range(code, 3, 5, body(7));
  EXPECT_EQ(target(patched, 0), 10U);
  EXPECT_EQ(patched[10].imm, 30);
}

TEST(ReplaceRange, AtTheEnd) {
  const auto code = replace_range(program(), 6, 8, body(1));
  ASSERT_EQ(code.size(), 7U);
  EXPECT_EQ(target(code, 0), 4U);
  EXPECT_EQ(target(code, 1), 6U);
  EXPECT_EQ(code[6].imm, 900);
}

TEST(ReplaceRange, LeavesTheBodysOwnCallsAlone) {
  const auto code = replace_range(program(), 4, 6, std::vector<bpf_insn>{call(7), plain(1)});
  EXPECT_EQ(code[4].imm, 7);
}

}  // namespace
}  // namespace sonde::kernel
