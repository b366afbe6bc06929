// SPDX-License-Identifier: Apache-2.0
// What the parts of the translator share: registers, stack, and the state of one translation.
#pragma once
#include <linux/bpf.h>
#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "filter/assembler.hpp"
#include "filter/classic.hpp"
#include "filter/translate.hpp"

namespace sonde::filter {

// r0 to r5 are scratch. A and X are always zero-extended: every write to them is a 32-bit one.
inline constexpr int register_context = BPF_REG_6;
inline constexpr int register_a = BPF_REG_7;
inline constexpr int register_x = BPF_REG_8;
inline constexpr int register_frame = BPF_REG_10;

// The stack frame, as offsets from r10. Words at odd multiples of four are not tracked by the verifier as spilled
// registers (it tracks aligned eight-byte slots), so a value read back from one is unknown to it: states then merge
// where paths meet, and the work of the verifier stays linear.
namespace stack {
inline constexpr int forget = -4;         // passes a register's value on without what the verifier knows about it
inline constexpr int loaded = -8;         // what bpf_*_load_bytes delivers
inline constexpr int length = -16;        // packet length, XDP only
inline constexpr int head = -40;          // virtual_head bytes of a packet whose VLAN tag is beside it
inline constexpr int memory_first = -44;  // M[0]; the next words lie at -52, -60, ... -164
constexpr int memory(std::uint32_t index) { return memory_first - 8 * static_cast<int>(index); }
inline constexpr std::size_t loop_slots = 11;
constexpr int loop(std::size_t index) { return -176 - 8 * static_cast<int>(index); }
static_assert(loop(loop_slots - 1) == -256 && memory(BPF_MEMWORDS - 1) > loop(0) + 8);
}  // namespace stack

/// Times the backward jumps of a program may be taken before the packet is rejected: this many, shared out among its
/// loops, and no loop more than longest_loop. A loop is a `protochain`, and a turn is an extension header it walks
/// over. The verifier follows every turn, and gives up with more than 8192 branches behind it that it has yet to look
/// at.
inline constexpr std::size_t all_loops = 240;
inline constexpr std::size_t longest_loop = 100;

/// Field offsets and helper of a program context.
struct ContextLayout {
  int data;
  int data_end;
  int load_bytes;  // bpf_*_load_bytes(ctx, offset, to, size): 0 or a negative errno
};

/// The part of a load that runs when the bytes are not in the linear part of the packet.
struct SlowLoad {
  Assembler::Label entry;
  Assembler::Label resume;
  unsigned bytes;
  int to;
  std::optional<std::uint32_t> offset;  // none: r2 holds it
};

/// A load of bytes before virtual_head_end in a tagged packet at an offset known only at run time, r2.
struct HeadLoad {
  Assembler::Label entry;
  Assembler::Label resume;
  unsigned bytes;
  int to;
};

struct Translation {
  std::span<const sock_filter> program;
  ClassicFacts facts;
  ProgramContext context;
  ContextLayout layout;
  Assembler code = {};
  Assembler::Label reject = 0;
  bool tagged = false;                    // the variant for packets whose VLAN tag is beside them
  std::vector<Assembler::Label> at = {};  // of each classic instruction, in the variant
  std::vector<SlowLoad> slow_loads = {};  // of the variant, emitted after its instructions
  std::vector<HeadLoad> head_loads = {};
};

/// packet_load.cpp: to = `bytes` bytes in network order at `offset`, or at X + `offset`; reject if they are not all in
/// the packet.
void load_at(Translation& translation, int to, std::uint32_t offset, unsigned bytes);
void load_at_x(Translation& translation, int to, std::uint32_t offset, unsigned bytes);
/// The code that loads of this variant jump to.
void emit_out_of_line_loads(Translation& translation);
/// Builds the first bytes of a tagged packet on the stack.
void emit_virtual_head(Translation& translation);

}  // namespace sonde::filter
