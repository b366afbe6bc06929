// SPDX-License-Identifier: Apache-2.0
#include "filter/classic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sonde::filter {
namespace {

enum class Operand { any, memory, divisor, shift, jump, branch };

struct Opcode {
  std::uint16_t code;
  Operand operand;
};

// MOD and XOR are Linux's and libpcap's additions to the set of McCanne and Jacobson.
constexpr std::array<Opcode, 49> opcodes = {{
    {BPF_LD | BPF_W | BPF_ABS, Operand::any},
    {BPF_LD | BPF_H | BPF_ABS, Operand::any},
    {BPF_LD | BPF_B | BPF_ABS, Operand::any},
    {BPF_LD | BPF_W | BPF_IND, Operand::any},
    {BPF_LD | BPF_H | BPF_IND, Operand::any},
    {BPF_LD | BPF_B | BPF_IND, Operand::any},
    {BPF_LD | BPF_W | BPF_LEN, Operand::any},
    {BPF_LD | BPF_IMM, Operand::any},
    {BPF_LD | BPF_MEM, Operand::memory},
    {BPF_LDX | BPF_W | BPF_LEN, Operand::any},
    {BPF_LDX | BPF_IMM, Operand::any},
    {BPF_LDX | BPF_MEM, Operand::memory},
    {BPF_LDX | BPF_B | BPF_MSH, Operand::any},
    {BPF_ST, Operand::memory},
    {BPF_STX, Operand::memory},
    // NOLINTNEXTLINE(misc-redundant-expression): BPF_ADD and BPF_K are both 0
    {BPF_ALU | BPF_ADD | BPF_K, Operand::any},
    {BPF_ALU | BPF_ADD | BPF_X, Operand::any},
    {BPF_ALU | BPF_SUB | BPF_K, Operand::any},
    {BPF_ALU | BPF_SUB | BPF_X, Operand::any},
    {BPF_ALU | BPF_MUL | BPF_K, Operand::any},
    {BPF_ALU | BPF_MUL | BPF_X, Operand::any},
    {BPF_ALU | BPF_DIV | BPF_K, Operand::divisor},
    {BPF_ALU | BPF_DIV | BPF_X, Operand::any},
    {BPF_ALU | BPF_MOD | BPF_K, Operand::divisor},
    {BPF_ALU | BPF_MOD | BPF_X, Operand::any},
    {BPF_ALU | BPF_OR | BPF_K, Operand::any},
    {BPF_ALU | BPF_OR | BPF_X, Operand::any},
    {BPF_ALU | BPF_AND | BPF_K, Operand::any},
    {BPF_ALU | BPF_AND | BPF_X, Operand::any},
    {BPF_ALU | BPF_XOR | BPF_K, Operand::any},
    {BPF_ALU | BPF_XOR | BPF_X, Operand::any},
    {BPF_ALU | BPF_LSH | BPF_K, Operand::shift},
    {BPF_ALU | BPF_LSH | BPF_X, Operand::any},
    {BPF_ALU | BPF_RSH | BPF_K, Operand::shift},
    {BPF_ALU | BPF_RSH | BPF_X, Operand::any},
    {BPF_ALU | BPF_NEG, Operand::any},
    {BPF_JMP | BPF_JA, Operand::jump},
    {BPF_JMP | BPF_JEQ | BPF_K, Operand::branch},
    {BPF_JMP | BPF_JEQ | BPF_X, Operand::branch},
    {BPF_JMP | BPF_JGT | BPF_K, Operand::branch},
    {BPF_JMP | BPF_JGT | BPF_X, Operand::branch},
    {BPF_JMP | BPF_JGE | BPF_K, Operand::branch},
    {BPF_JMP | BPF_JGE | BPF_X, Operand::branch},
    {BPF_JMP | BPF_JSET | BPF_K, Operand::branch},
    {BPF_JMP | BPF_JSET | BPF_X, Operand::branch},
    {BPF_RET | BPF_K, Operand::any},
    {BPF_RET | BPF_A, Operand::any},
    {BPF_MISC | BPF_TAX, Operand::any},
    {BPF_MISC | BPF_TXA, Operand::any},
}};

const Opcode* find_opcode(std::uint16_t code) {
  const auto* const found = std::ranges::find(opcodes, code, &Opcode::code);
  return found == opcodes.end() ? nullptr : found;
}

// Signed, because JA may go back; 64 bits, so that nothing wraps.
std::int64_t jump_target(std::size_t index, const sock_filter& insn) {
  return static_cast<std::int64_t>(index) + 1 + static_cast<std::int32_t>(insn.k);
}

const char* operand_problem(std::span<const sock_filter> program, std::size_t index, Operand operand) {
  const sock_filter& insn = program[index];
  const auto size = static_cast<std::int64_t>(program.size());
  const auto next = static_cast<std::int64_t>(index) + 1;
  switch (operand) {
    case Operand::any: return nullptr;
    case Operand::memory: return insn.k < BPF_MEMWORDS ? nullptr : "M[] index beyond 15";
    case Operand::divisor: return insn.k != 0 ? nullptr : "division by zero";
    case Operand::shift: return insn.k < 32 ? nullptr : "shift by more than 31 bits";
    case Operand::jump:
      return jump_target(index, insn) >= 0 && jump_target(index, insn) < size ? nullptr : "jump out of range";
    case Operand::branch: return next + std::max(insn.jt, insn.jf) < size ? nullptr : "jump out of range";
  }
  return nullptr;
}

bool ends_path(const sock_filter& insn) {
  if (BPF_CLASS(insn.code) == BPF_RET) return true;
  return loads_packet(insn) && insn.k > max_load_offset;
}

std::vector<bool> find_reachable(std::span<const sock_filter> program) {
  std::vector<bool> reachable(program.size(), false);
  std::vector<std::size_t> pending = {0};
  while (!pending.empty()) {
    const std::size_t index = pending.back();
    pending.pop_back();
    if (reachable[index]) continue;
    reachable[index] = true;
    std::ranges::copy(successors(program, index), std::back_inserter(pending));
  }
  return reachable;
}

bool reads_memory(const sock_filter& insn) {
  return insn.code == (BPF_LD | BPF_MEM) || insn.code == (BPF_LDX | BPF_MEM);
}

bool writes_memory(const sock_filter& insn) { return insn.code == BPF_ST || insn.code == BPF_STX; }

// Forward data flow: written[i] are the words that every path to i has stored.
std::uint16_t find_read_before_written(std::span<const sock_filter> program) {
  std::vector<std::uint16_t> written(program.size(), 0xffff);
  std::vector<std::size_t> pending = {0};
  std::uint16_t result = 0;
  written[0] = 0;
  std::vector<bool> seen(program.size(), false);
  while (!pending.empty()) {
    const std::size_t index = pending.back();
    pending.pop_back();
    seen[index] = true;
    std::uint16_t after = written[index];
    const auto bit = static_cast<std::uint16_t>(1U << (program[index].k & 15));
    if (reads_memory(program[index]) && !(after & bit)) result |= bit;
    if (writes_memory(program[index])) after |= bit;
    for (const std::size_t next : successors(program, index)) {
      const auto merged = static_cast<std::uint16_t>(written[next] & after);
      if (seen[next] && merged == written[next]) continue;
      written[next] = merged;
      pending.push_back(next);
    }
  }
  return result;
}

std::vector<std::size_t> find_loops(std::span<const sock_filter> program, const std::vector<bool>& reachable) {
  std::vector<std::size_t> loops;
  for (std::size_t i = 0; i < program.size(); ++i) {
    if (!reachable[i] || program[i].code != (BPF_JMP | BPF_JA)) continue;
    const auto target = static_cast<std::size_t>(jump_target(i, program[i]));
    if (target <= i) loops.push_back(target);
  }
  std::ranges::sort(loops);
  const auto repeated = std::ranges::unique(loops);
  loops.erase(repeated.begin(), repeated.end());
  return loops;
}

template <class Predicate>
bool any_reachable(std::span<const sock_filter> program, const std::vector<bool>& reachable, Predicate predicate) {
  for (std::size_t i = 0; i < program.size(); ++i) {
    if (reachable[i] && predicate(program[i])) return true;
  }
  return false;
}

bool reads_length(const sock_filter& insn) {
  return insn.code == (BPF_LD | BPF_W | BPF_LEN) || insn.code == (BPF_LDX | BPF_W | BPF_LEN);
}

}  // namespace

bool loads_packet(const sock_filter& insn) {
  if (insn.code == (BPF_LDX | BPF_B | BPF_MSH)) return true;
  if (BPF_CLASS(insn.code) != BPF_LD) return false;
  return BPF_MODE(insn.code) == BPF_ABS || BPF_MODE(insn.code) == BPF_IND;
}

Result<void> validate_classic(std::span<const sock_filter> program) {
  if (program.empty()) return fail(ErrorKind::failed, "classic BPF: empty program");
  for (std::size_t i = 0; i < program.size(); ++i) {
    const Opcode* opcode = find_opcode(program[i].code);
    if (opcode == nullptr) {
      return fail(ErrorKind::failed,
                  fmt::format("classic BPF: instruction {}: unknown opcode {:#06x}", i, program[i].code));
    }
    if (const char* problem = operand_problem(program, i, opcode->operand)) {
      return fail(ErrorKind::failed, fmt::format("classic BPF: instruction {}: {}", i, problem));
    }
  }
  const std::uint16_t last = program.back().code;
  if (BPF_CLASS(last) == BPF_RET || last == (BPF_JMP | BPF_JA)) return {};
  return fail(ErrorKind::failed, "classic BPF: the program does not end with a return");
}

std::vector<std::size_t> successors(std::span<const sock_filter> program, std::size_t index) {
  const sock_filter& insn = program[index];
  if (ends_path(insn)) return {};
  if (BPF_CLASS(insn.code) != BPF_JMP) return {index + 1};
  if (BPF_OP(insn.code) == BPF_JA) return {static_cast<std::size_t>(jump_target(index, insn))};
  return {index + 1 + insn.jt, index + 1 + insn.jf};
}

ClassicFacts analyze_classic(std::span<const sock_filter> program) {
  ClassicFacts facts = {};
  facts.reachable = find_reachable(program);
  facts.loops = find_loops(program, facts.reachable);
  facts.read_before_written = find_read_before_written(program);
  facts.reads_packet = any_reachable(program, facts.reachable, loads_packet);
  facts.reads_length = any_reachable(program, facts.reachable, reads_length);
  return facts;
}

}  // namespace sonde::filter
