// SPDX-License-Identifier: Apache-2.0
// eBPF instructions of -mcpu=v3, and a list of them whose jumps go to labels.
#pragma once
#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::filter {

/// Instructions by what they do. `op` is BPF_ADD, BPF_JEQ, ...; sizes are in bytes.
namespace insn {
[[nodiscard]] bpf_insn move64(int to, int from);
[[nodiscard]] bpf_insn move32(int to, int from);
[[nodiscard]] bpf_insn set32(int to, std::uint32_t value);
[[nodiscard]] bpf_insn alu64(int op, int to, std::int32_t value);
[[nodiscard]] bpf_insn alu64_register(int op, int to, int from);
[[nodiscard]] bpf_insn alu32(int op, int to, std::uint32_t value);
[[nodiscard]] bpf_insn alu32_register(int op, int to, int from);
[[nodiscard]] bpf_insn to_big_endian(int reg, unsigned bytes);
[[nodiscard]] bpf_insn load(unsigned bytes, int to, int from, int offset);
[[nodiscard]] bpf_insn store(unsigned bytes, int to, int offset, int from);
[[nodiscard]] bpf_insn store_value(unsigned bytes, int to, int offset, std::int32_t value);
[[nodiscard]] bpf_insn call(int helper);
[[nodiscard]] bpf_insn leave();
[[nodiscard]] bpf_insn always();
[[nodiscard]] bpf_insn jump64(int op, int reg, std::int32_t value);
[[nodiscard]] bpf_insn jump64_register(int op, int reg, int other);
[[nodiscard]] bpf_insn jump32(int op, int reg, std::uint32_t value);
[[nodiscard]] bpf_insn jump32_register(int op, int reg, int other);
}  // namespace insn

class Assembler {
 public:
  using Label = std::size_t;

  [[nodiscard]] Label label();                ///< a place that is not known yet
  void bind(Label label);                     ///< the place is here
  void add(bpf_insn instruction);             ///< any instruction that is not a jump
  void jump(bpf_insn instruction, Label to);  ///< its offset is filled in by finish()
  /// The instructions. Every label that a jump uses must be bound. Fails if a jump is longer than 16 bits can say.
  [[nodiscard]] Result<std::vector<bpf_insn>> finish();

 private:
  struct Jump {
    std::size_t from;
    Label to;
  };
  std::vector<bpf_insn> code_;
  std::vector<std::size_t> labels_;
  std::vector<Jump> jumps_;
};

}  // namespace sonde::filter
