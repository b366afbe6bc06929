// SPDX-License-Identifier: Apache-2.0
// Loads from the packet. The fast path reads the linear part directly; the slow path asks a helper.
//
// A VLAN tag that the driver or the kernel took out of the packet is kept in skb->vlan_tci and vlan_proto. On the wire
// it stands behind the two MAC addresses, so for a tagged packet the virtual bytes are
//   0..11 real 0..11    12..15 tag    16.. real 12..
// Loads below 16 read a copy on the stack that has the tag in it; the others read the packet four bytes earlier.
#include <cstddef>

#include "filter/translation.hpp"

namespace sonde::filter {
namespace {

constexpr int tag_offset = 12;
constexpr int tag_size = 4;
constexpr int virtual_head_end = tag_offset + tag_size;
constexpr int virtual_head = virtual_head_end + 4;   // a four-byte load may begin in front of the end
constexpr std::uint32_t max_direct_offset = 0xffff;  // the verifier's MAX_PACKET_OFF

// dst is in network order in its low `bytes` bytes.
void emit_byte_order(Assembler& code, int to, unsigned bytes) {
  if (bytes > 1) code.add(insn::to_big_endian(to, bytes));
}

// Rejects unless a tagged packet has r3 virtual bytes. Uses r1.
void require_virtual_length(Translation& t) {
  t.code.add(insn::load(4, BPF_REG_1, register_context, offsetof(__sk_buff, len)));
  t.code.add(insn::alu64(BPF_ADD, BPF_REG_1, tag_size));
  t.code.jump(insn::jump64_register(BPF_JGT, BPF_REG_3, BPF_REG_1), t.reject);
}

// Byte by byte: the verifier wants aligned stack loads, and MAC addresses are not aligned.
void read_head_bytes(Assembler& code, int to, int base, int offset, unsigned bytes) {
  code.add(insn::load(1, to, base, offset));
  for (unsigned i = 1; i < bytes; ++i) {
    code.add(insn::alu32(BPF_LSH, to, 8));
    code.add(insn::load(1, BPF_REG_4, base, offset + static_cast<int>(i)));
    code.add(insn::alu32_register(BPF_OR, to, BPF_REG_4));
  }
}

void load_at_head(Translation& t, int to, std::uint32_t offset, unsigned bytes) {
  if (offset + bytes > virtual_head_end) {
    t.code.add(insn::set32(BPF_REG_3, offset + bytes));
    require_virtual_length(t);
  }
  read_head_bytes(t.code, to, register_frame, stack::head + static_cast<int>(offset), bytes);
}

Assembler::Label add_slow_load(Translation& t, int to, unsigned bytes, std::optional<std::uint32_t> offset) {
  const Assembler::Label resume = t.code.label();
  t.slow_loads.push_back({t.code.label(), resume, bytes, to, offset});
  return resume;
}

// r3 = data + distance, jumping to the slow load if that is behind the linear part.
void check_linear(Translation& t, const bpf_insn& add_distance, unsigned bytes, Assembler::Label slow) {
  t.code.add(insn::load(4, BPF_REG_3, register_context, t.layout.data));
  t.code.add(insn::load(4, BPF_REG_1, register_context, t.layout.data_end));
  t.code.add(add_distance);
  if (bytes != 0) t.code.add(insn::alu64(BPF_ADD, BPF_REG_3, static_cast<std::int32_t>(bytes)));
  t.code.jump(insn::jump64_register(BPF_JGT, BPF_REG_3, BPF_REG_1), slow);
}

void emit_slow_load(Translation& t, const SlowLoad& load) {
  t.code.bind(load.entry);
  if (load.offset) {
    t.code.add(insn::set32(BPF_REG_2, *load.offset));
  } else {
    // The helpers take 32 bits of it.
    t.code.jump(insn::jump64(BPF_JGT, BPF_REG_2, static_cast<std::int32_t>(max_load_offset)), t.reject);
  }
  t.code.add(insn::move64(BPF_REG_1, register_context));
  t.code.add(insn::move64(BPF_REG_3, register_frame));
  t.code.add(insn::alu64(BPF_ADD, BPF_REG_3, stack::loaded));
  t.code.add(insn::set32(BPF_REG_4, load.bytes));
  t.code.add(insn::call(t.layout.load_bytes));
  t.code.jump(insn::jump64(BPF_JNE, BPF_REG_0, 0), t.reject);
  t.code.add(insn::load(load.bytes, load.to, register_frame, stack::loaded));
  emit_byte_order(t.code, load.to, load.bytes);
  t.code.jump(insn::always(), load.resume);
}

void emit_head_load(Translation& t, const HeadLoad& load) {
  t.code.bind(load.entry);
  t.code.add(insn::move64(BPF_REG_3, BPF_REG_2));
  t.code.add(insn::alu64(BPF_ADD, BPF_REG_3, static_cast<std::int32_t>(load.bytes)));
  require_virtual_length(t);
  t.code.add(insn::move64(BPF_REG_3, register_frame));
  t.code.add(insn::alu64(BPF_ADD, BPF_REG_3, stack::head));
  t.code.add(insn::alu64_register(BPF_ADD, BPF_REG_3, BPF_REG_2));
  read_head_bytes(t.code, load.to, BPF_REG_3, 0, load.bytes);
  t.code.jump(insn::always(), load.resume);
}

// Real bytes 0..11 and 12..15, as far as the packet has them, around the place of the tag.
void copy_head_from_linear(Translation& t, Assembler::Label slow) {
  t.code.add(insn::load(4, BPF_REG_2, register_context, t.layout.data));
  t.code.add(insn::load(4, BPF_REG_1, register_context, t.layout.data_end));
  t.code.add(insn::move64(BPF_REG_3, BPF_REG_2));
  t.code.add(insn::alu64(BPF_ADD, BPF_REG_3, tag_offset + 4));
  t.code.jump(insn::jump64_register(BPF_JGT, BPF_REG_3, BPF_REG_1), slow);
  for (const int offset : {0, 4, 8, 12}) {
    t.code.add(insn::load(4, BPF_REG_1, BPF_REG_2, offset));
    const int place = offset < tag_offset ? offset : offset + tag_size;
    t.code.add(insn::store(4, register_frame, stack::head + place, BPF_REG_1));
  }
}

// bpf_skb_load_bytes(ctx, offset, head + to, r4)
void call_load_head(Translation& t, std::uint32_t offset, int to) {
  t.code.add(insn::move64(BPF_REG_1, register_context));
  t.code.add(insn::set32(BPF_REG_2, offset));
  t.code.add(insn::move64(BPF_REG_3, register_frame));
  t.code.add(insn::alu64(BPF_ADD, BPF_REG_3, stack::head + to));
  t.code.add(insn::call(t.layout.load_bytes));
  t.code.jump(insn::jump64(BPF_JNE, BPF_REG_0, 0), t.reject);
}

void copy_head_by_helper(Translation& t, Assembler::Label done) {
  t.code.add(insn::store_value(4, register_frame, stack::head + virtual_head_end, 0));
  t.code.add(insn::set32(BPF_REG_4, tag_offset));
  call_load_head(t, 0, 0);
  t.code.add(insn::load(4, BPF_REG_4, register_context, offsetof(__sk_buff, len)));
  t.code.jump(insn::jump64(BPF_JLE, BPF_REG_4, tag_offset), done);
  t.code.add(insn::alu64(BPF_ADD, BPF_REG_4, -tag_offset));
  const Assembler::Label small = t.code.label();
  t.code.jump(insn::jump64(BPF_JLE, BPF_REG_4, virtual_head - virtual_head_end), small);
  t.code.add(insn::set32(BPF_REG_4, virtual_head - virtual_head_end));
  t.code.bind(small);
  call_load_head(t, tag_offset, virtual_head_end);
}

}  // namespace

void load_at(Translation& t, int to, std::uint32_t offset, unsigned bytes) {
  if (offset > max_load_offset) return t.code.jump(insn::always(), t.reject);
  if (t.tagged && offset < virtual_head_end) return load_at_head(t, to, offset, bytes);
  const std::uint32_t real = t.tagged ? offset - tag_size : offset;
  const Assembler::Label resume = add_slow_load(t, to, bytes, real);
  const Assembler::Label slow = t.slow_loads.back().entry;
  if (real + bytes > max_direct_offset) {
    t.code.jump(insn::always(), slow);
  } else {
    check_linear(t, insn::alu64(BPF_ADD, BPF_REG_3, static_cast<std::int32_t>(real + bytes)), 0, slow);
    t.code.add(insn::load(bytes, to, BPF_REG_3, -static_cast<int>(bytes)));
    emit_byte_order(t.code, to, bytes);
  }
  t.code.bind(resume);
}

void load_at_x(Translation& t, int to, std::uint32_t offset, unsigned bytes) {
  if (offset > max_load_offset) return t.code.jump(insn::always(), t.reject);
  const Assembler::Label resume = add_slow_load(t, to, bytes, std::nullopt);
  const Assembler::Label slow = t.slow_loads.back().entry;
  t.code.add(insn::move64(BPF_REG_2, register_x));
  if (offset != 0) t.code.add(insn::alu64(BPF_ADD, BPF_REG_2, static_cast<std::int32_t>(offset)));
  if (t.tagged) {
    t.head_loads.push_back({t.code.label(), resume, bytes, to});
    t.code.jump(insn::jump64(BPF_JLT, BPF_REG_2, virtual_head_end), t.head_loads.back().entry);
    t.code.add(insn::alu64(BPF_ADD, BPF_REG_2, -tag_size));
  }
  const auto last_direct = static_cast<std::int32_t>(max_direct_offset - bytes);
  t.code.jump(insn::jump64(BPF_JGT, BPF_REG_2, last_direct), slow);
  check_linear(t, insn::alu64_register(BPF_ADD, BPF_REG_3, BPF_REG_2), bytes, slow);
  t.code.add(insn::load(bytes, to, BPF_REG_3, -static_cast<int>(bytes)));
  emit_byte_order(t.code, to, bytes);
  t.code.bind(resume);
}

void emit_out_of_line_loads(Translation& t) {
  for (const SlowLoad& load : t.slow_loads) emit_slow_load(t, load);
  for (const HeadLoad& load : t.head_loads) emit_head_load(t, load);
  t.slow_loads.clear();
  t.head_loads.clear();
}

void emit_virtual_head(Translation& t) {
  const Assembler::Label slow = t.code.label();
  const Assembler::Label done = t.code.label();
  copy_head_from_linear(t, slow);
  t.code.jump(insn::always(), done);
  t.code.bind(slow);
  copy_head_by_helper(t, done);
  t.code.bind(done);
  t.code.add(insn::load(4, BPF_REG_1, register_context, offsetof(__sk_buff, vlan_proto)));  // network order
  t.code.add(insn::store(2, register_frame, stack::head + tag_offset, BPF_REG_1));
  t.code.add(insn::load(4, BPF_REG_1, register_context, offsetof(__sk_buff, vlan_tci)));  // host order
  t.code.add(insn::to_big_endian(BPF_REG_1, 2));
  t.code.add(insn::store(2, register_frame, stack::head + tag_offset + 2, BPF_REG_1));
}

}  // namespace sonde::filter
