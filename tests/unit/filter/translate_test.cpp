// SPDX-License-Identifier: Apache-2.0
// What the translator refuses, and promises that hold without a kernel.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "filter/translate.hpp"

namespace sonde::test {
namespace {

using filter::ProgramContext;
using filter::translate;
using ::testing::HasSubstr;
using Program = std::vector<sock_filter>;

constexpr sock_filter accept = {BPF_RET | BPF_K, 0, 0, 1};
constexpr ProgramContext contexts[] = {ProgramContext::xdp, ProgramContext::skb};

std::string error_of(const Program& program) {
  const auto code = translate(program, ProgramContext::xdp);
  return code ? "no error" : code.error().message;
}

TEST(Translate, RefusesMalformedPrograms) {
  const std::pair<Program, const char*> cases[] = {
      {{}, "empty program"},
      {{{BPF_LD | BPF_IMM, 0, 0, 1}}, "does not end with a return"},
      {{{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0}, accept}, "instruction 0: jump out of range"},
      {{{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0}, accept}, "instruction 0: jump out of range"},
      {{{BPF_JMP | BPF_JA, 0, 0, 1}, accept}, "jump out of range"},
      {{{BPF_JMP | BPF_JA, 0, 0, 0xfffffffe}, accept}, "jump out of range"},
      {{{BPF_JMP | BPF_JA, 0, 0, 0x7fffffff}, accept}, "jump out of range"},
      {{{BPF_ST, 0, 0, 16}, accept}, "M[] index beyond 15"},
      {{{BPF_STX, 0, 0, 0xffffffff}, accept}, "M[] index beyond 15"},
      {{{BPF_LD | BPF_MEM, 0, 0, 16}, accept}, "M[] index beyond 15"},
      {{{BPF_LDX | BPF_MEM, 0, 0, 16}, accept}, "M[] index beyond 15"},
      {{{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, accept}, "division by zero"},
      {{{BPF_ALU | BPF_MOD | BPF_K, 0, 0, 0}, accept}, "division by zero"},
      {{{BPF_ALU | BPF_LSH | BPF_K, 0, 0, 32}, accept}, "shift by more than 31 bits"},
      {{{BPF_ALU | BPF_RSH | BPF_K, 0, 0, 0xffffffff}, accept}, "shift by more than 31 bits"},
      {{accept, {BPF_JMP | BPF_JEQ | BPF_K, 9, 9, 0}, accept}, "instruction 1: jump out of range"},
  };
  for (const auto& [program, problem] : cases) EXPECT_THAT(error_of(program), HasSubstr(problem));
}

TEST(Translate, RefusesUnknownOpcodes) {
  std::size_t known = 0;
  for (std::uint32_t code = 0; code <= 0xffff; ++code) {
    const Program program = {{static_cast<std::uint16_t>(code), 0, 0, 1}, accept};
    const std::string error = error_of(program);
    known += error == "no error" || error.find("jump out of range") != std::string::npos ? 1 : 0;
    if (code <= 0xff) continue;
    ASSERT_THAT(error, HasSubstr(fmt::format("unknown opcode {:#06x}", code)));
  }
  EXPECT_EQ(known, 49U);  // 15 loads and stores, 21 of arithmetic, 9 jumps, 2 returns, 2 transfers
}

TEST(Translate, RefusesMoreLoopsThanTheStackHolds) {
  Program program;
  for (int i = 0; i < 12; ++i) {
    program.push_back({BPF_LD | BPF_B | BPF_ABS, 0, 0, 0});
    program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0});
    program.push_back({BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(-3)});
  }
  program.push_back(accept);
  EXPECT_THAT(error_of(program), HasSubstr("12 loops; at most 11"));
}

TEST(Translate, RefusesJumpsBeyondSixteenBits) {
  Program program = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 0}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0}};
  program.push_back({BPF_JMP | BPF_JA, 0, 0, 40000});
  // NOLINTNEXTLINE(misc-redundant-expression): BPF_ADD and BPF_K are both 0
  program.insert(program.end(), 40000, {BPF_ALU | BPF_ADD | BPF_K, 0, 0, 1});
  program.push_back(accept);
  EXPECT_THAT(error_of(program), HasSubstr("too long for the kernel"));
}

Program every_kind_of_instruction() {
  return {{BPF_LD | BPF_W | BPF_LEN, 0, 0, 0},
          {BPF_ST, 0, 0, 15},
          {BPF_LDX | BPF_B | BPF_MSH, 0, 0, 14},
          {BPF_LD | BPF_W | BPF_IND, 0, 0, 14},
          {BPF_LD | BPF_H | BPF_ABS, 0, 0, 13},
          {BPF_LD | BPF_MEM, 0, 0, 0},
          {BPF_LD | BPF_B | BPF_ABS, 0, 0, 0},
          {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0},
          {BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(-3)},
          {BPF_RET | BPF_A, 0, 0, 0}};
}

TEST(Translate, IsPositionIndependentAndWithinItsStack) {
  for (const ProgramContext context : contexts) {
    const auto code = translate(every_kind_of_instruction(), context);
    ASSERT_TRUE(code) << code.error().text();
    const auto size = static_cast<std::int64_t>(code->size());
    for (std::int64_t i = 0; i < size; ++i) {
      const bpf_insn& insn = (*code)[static_cast<std::size_t>(i)];
      const int operation_class = BPF_CLASS(insn.code);
      EXPECT_NE(insn.code, BPF_LD | BPF_DW | BPF_IMM) << "refers to a map or an address";
      const bool calls = insn.code == (BPF_JMP | BPF_CALL);
      EXPECT_TRUE(!calls || insn.src_reg == 0) << "calls something else than a helper";
      const bool leaves = insn.code == (BPF_JMP | BPF_EXIT);
      const bool jumps = (operation_class == BPF_JMP || operation_class == BPF_JMP32) && !calls && !leaves;
      EXPECT_TRUE(!jumps || (i + 1 + insn.off >= 0 && i + 1 + insn.off < size)) << "jumps out of the code";
      const bool stores = operation_class == BPF_ST || operation_class == BPF_STX;
      EXPECT_TRUE(!stores || (insn.dst_reg == BPF_REG_10 && insn.off >= -256 && insn.off < 0)) << insn.off;
    }
  }
}

TEST(Translate, UsesHelpersOfOtherContextsNowhere) {
  const auto calls = [](ProgramContext context, int helper) {
    const auto code = translate(every_kind_of_instruction(), context).value();
    return std::ranges::count_if(
        code, [helper](const bpf_insn& insn) { return insn.code == (BPF_JMP | BPF_CALL) && insn.imm == helper; });
  };
  EXPECT_EQ(calls(ProgramContext::xdp, BPF_FUNC_skb_load_bytes), 0);
  EXPECT_EQ(calls(ProgramContext::skb, BPF_FUNC_xdp_load_bytes), 0);
  EXPECT_EQ(calls(ProgramContext::skb, BPF_FUNC_xdp_get_buff_len), 0);
  EXPECT_EQ(calls(ProgramContext::xdp, BPF_FUNC_xdp_get_buff_len), 1);
}

std::size_t count_cleared_words(const Program& program) {
  const auto code = translate(program, ProgramContext::skb).value();
  return static_cast<std::size_t>(std::ranges::count_if(
      code, [](const bpf_insn& insn) { return insn.code == (BPF_ST | BPF_MEM | BPF_W) && insn.imm == 0; }));
}

// Linux before 6.3 refuses to read stack that was not written; later kernels would let us read what lies there.
TEST(Translate, ClearsMemoryThatAPathReadsFirst) {
  const sock_filter store = {BPF_ST, 0, 0, 7};
  const sock_filter load = {BPF_LD | BPF_MEM, 0, 0, 7};
  const sock_filter load_x = {BPF_LDX | BPF_MEM, 0, 0, 7};
  const sock_filter skip_one = {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0};
  EXPECT_EQ(count_cleared_words({load, accept}), 1U);
  EXPECT_EQ(count_cleared_words({load_x, accept}), 1U);
  EXPECT_EQ(count_cleared_words({store, load, accept}), 0U);
  EXPECT_EQ(count_cleared_words({skip_one, store, load, accept}), 1U);
  EXPECT_EQ(count_cleared_words({skip_one, store, accept}), 0U);
}

TEST(Translate, LeavesUnreachableInstructionsOut) {
  const Program program = {{BPF_JMP | BPF_JA, 0, 0, 2}, {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}, accept, accept};
  const auto code = translate(program, ProgramContext::skb);
  ASSERT_TRUE(code);
  for (const bpf_insn& insn : *code) EXPECT_NE(insn.code, BPF_JMP | BPF_CALL);
}

}  // namespace
}  // namespace sonde::test
