// SPDX-License-Identifier: Apache-2.0
#include "filter/translate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "filter/translation.hpp"

namespace sonde::filter {
namespace {

constexpr ContextLayout layouts[] = {
    {offsetof(xdp_md, data), offsetof(xdp_md, data_end), BPF_FUNC_xdp_load_bytes},
    {offsetof(__sk_buff, data), offsetof(__sk_buff, data_end), BPF_FUNC_skb_load_bytes},
};

unsigned load_bytes(const sock_filter& insn) {
  if (BPF_SIZE(insn.code) == BPF_W) return 4;
  return BPF_SIZE(insn.code) == BPF_H ? 2 : 1;
}

void load_length(Translation& t, int to) {
  if (t.context == ProgramContext::xdp) return t.code.add(insn::load(4, to, register_frame, stack::length));
  t.code.add(insn::load(4, to, register_context, offsetof(__sk_buff, len)));
  if (t.tagged) t.code.add(insn::alu32(BPF_ADD, to, 4));
}

// X = 4 * (low four bits of the byte at k): the length of an IPv4 header.
void load_header_length(Translation& t, const sock_filter& insn) {
  load_at(t, register_x, insn.k, 1);
  if (insn.k > max_load_offset) return;
  t.code.add(insn::alu32(BPF_AND, register_x, 15));
  t.code.add(insn::alu32(BPF_LSH, register_x, 2));
}

void translate_load(Translation& t, const sock_filter& insn, std::size_t) {
  const int to = BPF_CLASS(insn.code) == BPF_LD ? register_a : register_x;
  switch (BPF_MODE(insn.code)) {
    case BPF_ABS: return load_at(t, to, insn.k, load_bytes(insn));
    case BPF_IND: return load_at_x(t, to, insn.k, load_bytes(insn));
    case BPF_MSH: return load_header_length(t, insn);
    case BPF_LEN: return load_length(t, to);
    case BPF_MEM: return t.code.add(insn::load(4, to, register_frame, stack::memory(insn.k)));
    default: return t.code.add(insn::set32(to, insn.k));
  }
}

void translate_store(Translation& t, const sock_filter& insn, std::size_t) {
  const int from = BPF_CLASS(insn.code) == BPF_ST ? register_a : register_x;
  t.code.add(insn::store(4, register_frame, stack::memory(insn.k), from));
}

// eBPF masks the count to five bits; classic BPF shifts everything out.
void shift_by_x(Translation& t, int op) {
  const Assembler::Label far = t.code.label();
  const Assembler::Label done = t.code.label();
  t.code.jump(insn::jump32(BPF_JGT, register_x, 31), far);
  t.code.add(insn::alu32_register(op, register_a, register_x));
  t.code.jump(insn::always(), done);
  t.code.bind(far);
  t.code.add(insn::set32(register_a, 0));
  t.code.bind(done);
}

// The operation codes of classic BPF and eBPF are the same.
void translate_arithmetic(Translation& t, const sock_filter& insn, std::size_t) {
  const int op = BPF_OP(insn.code);
  if (op == BPF_NEG || BPF_SRC(insn.code) == BPF_K) {
    return t.code.add(insn::alu32(op, register_a, op == BPF_NEG ? 0 : insn.k));
  }
  if (op == BPF_LSH || op == BPF_RSH) return shift_by_x(t, op);
  if (op == BPF_DIV || op == BPF_MOD) t.code.jump(insn::jump32(BPF_JEQ, register_x, 0), t.reject);
  t.code.add(insn::alu32_register(op, register_a, register_x));
}

void forget_value(Assembler& code, int reg) {
  code.add(insn::store(4, register_frame, stack::forget, reg));
  code.add(insn::load(4, reg, register_frame, stack::forget));
}

// Counts down, so that the verifier sees the end of the loop.
void jump_back(Translation& t, std::size_t target) {
  const auto loop = std::ranges::lower_bound(t.facts.loops, target) - t.facts.loops.begin();
  const int slot = stack::loop(static_cast<std::size_t>(loop));
  t.code.add(insn::load(8, BPF_REG_1, register_frame, slot));
  t.code.add(insn::alu64(BPF_ADD, BPF_REG_1, -1));
  t.code.add(insn::store(8, register_frame, slot, BPF_REG_1));
  t.code.jump(insn::jump64(BPF_JEQ, BPF_REG_1, 0), t.reject);
  forget_value(t.code, register_a);
  forget_value(t.code, register_x);
  t.code.jump(insn::always(), t.at[target]);
}

struct Inverse {
  int op;
  int inverse;
};
constexpr Inverse inverses[] = {{BPF_JEQ, BPF_JNE}, {BPF_JGT, BPF_JLE}, {BPF_JGE, BPF_JLT}};

bpf_insn comparison(const sock_filter& insn, int op) {
  if (BPF_SRC(insn.code) == BPF_X) return insn::jump32_register(op, register_a, register_x);
  return insn::jump32(op, register_a, insn.k);
}

void translate_branch(Translation& t, const sock_filter& insn, std::size_t index) {
  const Assembler::Label yes = t.at[index + 1 + insn.jt];
  const Assembler::Label no = t.at[index + 1 + insn.jf];
  const int op = BPF_OP(insn.code);
  const auto* inverse = std::ranges::find(inverses, op, &Inverse::op);
  if (insn.jt == 0 && inverse != std::end(inverses)) return t.code.jump(comparison(insn, inverse->inverse), no);
  t.code.jump(comparison(insn, op), yes);
  if (insn.jf != 0) t.code.jump(insn::always(), no);
}

void translate_jump(Translation& t, const sock_filter& insn, std::size_t index) {
  if (BPF_OP(insn.code) != BPF_JA) return translate_branch(t, insn, index);
  const std::size_t target = successors(t.program, index).front();
  if (target <= index) return jump_back(t, target);
  t.code.jump(insn::always(), t.at[target]);
}

void translate_return(Translation& t, const sock_filter& insn, std::size_t) {
  t.code.add(BPF_RVAL(insn.code) == BPF_A ? insn::move32(BPF_REG_0, register_a) : insn::set32(BPF_REG_0, insn.k));
  t.code.add(insn::leave());
}

void translate_transfer(Translation& t, const sock_filter& insn, std::size_t) {
  const bool to_x = BPF_MISCOP(insn.code) == BPF_TAX;
  t.code.add(insn::move32(to_x ? register_x : register_a, to_x ? register_a : register_x));
}

using TranslateInstruction = void (*)(Translation&, const sock_filter&, std::size_t index);
constexpr std::array<TranslateInstruction, 8> by_class = {
    translate_load,       translate_load, translate_store,  translate_store,      // LD, LDX, ST, STX
    translate_arithmetic, translate_jump, translate_return, translate_transfer};  // ALU, JMP, RET, MISC

// Instructions that no path reaches are left out: the verifier refuses them.
void emit_variant(Translation& t) {
  t.at.clear();
  for (std::size_t i = 0; i < t.program.size(); ++i) t.at.push_back(t.code.label());
  for (std::size_t i = 0; i < t.program.size(); ++i) {
    if (!t.facts.reachable[i]) continue;
    t.code.bind(t.at[i]);
    by_class[BPF_CLASS(t.program[i].code)](t, t.program[i], i);
  }
  emit_out_of_line_loads(t);
}

void emit_entry(Translation& t) {
  t.code.add(insn::move64(register_context, BPF_REG_1));
  t.code.add(insn::set32(register_a, 0));
  t.code.add(insn::set32(register_x, 0));
  for (std::uint32_t word = 0; word < BPF_MEMWORDS; ++word) {
    if (!(t.facts.read_before_written & (1U << word))) continue;
    t.code.add(insn::store_value(4, register_frame, stack::memory(word), 0));
  }
  for (std::size_t i = 0; i < t.facts.loops.size(); ++i) {
    const std::size_t turns = std::min(longest_loop, all_loops / t.facts.loops.size());
    t.code.add(insn::set32(BPF_REG_1, static_cast<std::uint32_t>(turns)));
    t.code.add(insn::store(8, register_frame, stack::loop(i), BPF_REG_1));
  }
  if (t.facts.reads_length && t.context == ProgramContext::xdp) {
    t.code.add(insn::move64(BPF_REG_1, register_context));
    t.code.add(insn::call(BPF_FUNC_xdp_get_buff_len));
    t.code.add(insn::store(4, register_frame, stack::length, BPF_REG_0));
  }
}

// One variant for packets as they are, one for those whose VLAN tag is beside them.
void emit_variants(Translation& t) {
  const bool depends_on_tag = t.context == ProgramContext::skb && (t.facts.reads_packet || t.facts.reads_length);
  if (!depends_on_tag) return emit_variant(t);
  const Assembler::Label with_tag = t.code.label();
  t.code.add(insn::load(4, BPF_REG_1, register_context, offsetof(__sk_buff, vlan_present)));
  t.code.jump(insn::jump32(BPF_JNE, BPF_REG_1, 0), with_tag);
  emit_variant(t);
  t.code.bind(with_tag);
  t.tagged = true;
  if (t.facts.reads_packet) emit_virtual_head(t);
  emit_variant(t);
}

bool can_reject(const Translation& t) {
  const auto divides = [](const sock_filter& insn) {
    return BPF_CLASS(insn.code) == BPF_ALU && (BPF_OP(insn.code) == BPF_DIV || BPF_OP(insn.code) == BPF_MOD) &&
           BPF_SRC(insn.code) == BPF_X;
  };
  for (std::size_t i = 0; i < t.program.size(); ++i) {
    if (t.facts.reachable[i] && divides(t.program[i])) return true;
  }
  return t.facts.reads_packet || !t.facts.loops.empty();
}

}  // namespace

Result<std::vector<bpf_insn>> translate(std::span<const sock_filter> program, ProgramContext context) {
  if (auto valid = validate_classic(program); !valid) return std::unexpected(valid.error());
  Translation t = {program, analyze_classic(program), context, layouts[static_cast<std::size_t>(context)]};
  if (t.facts.loops.size() > stack::loop_slots) {
    return fail(ErrorKind::failed,
                fmt::format("filter expression: {} loops; at most {} fit into the kernel", t.facts.loops.size(),
                            stack::loop_slots),
                "use `protochain` less often");
  }
  t.reject = t.code.label();
  emit_entry(t);
  emit_variants(t);
  if (can_reject(t)) {
    t.code.bind(t.reject);
    t.code.add(insn::set32(BPF_REG_0, 0));
    t.code.add(insn::leave());
  }
  return t.code.finish();
}

}  // namespace sonde::filter
