// SPDX-License-Identifier: Apache-2.0
#include "kernel/verifier_log.hpp"

#include <gtest/gtest.h>

namespace sonde::kernel {
namespace {

TEST(VerifierReason, IsTheLastLineThatIsNoStatistics) {
  const auto* log =
      "libbpf: prog 'sonde_xdp': BPF program load failed: Permission denied\n"
      "libbpf: prog 'sonde_xdp': -- BEGIN PROG LOAD LOG --\n"
      "0: R1=ctx() R10=fp0\n"
      "5: (71) r3 = *(u8 *)(r2 +34)\n"
      "invalid access to packet, off=34 size=1, R2(id=0,off=34,r=14)\n"
      "processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0\n"
      "-- END PROG LOAD LOG --\n"
      "libbpf: failed to load object\n";
  EXPECT_EQ(verifier_reason(log), "invalid access to packet, off=34 size=1, R2(id=0,off=34,r=14) (7 lines omitted)");
}

TEST(VerifierReason, OfLittle) {
  EXPECT_EQ(verifier_reason(""), "");
  EXPECT_EQ(verifier_reason("\n\n"), "");
  EXPECT_EQ(verifier_reason("R1 is bad"), "R1 is bad (0 lines omitted)");
  EXPECT_EQ(verifier_reason("libbpf: failed to load\n"), "libbpf: failed to load") << "better than nothing";
}

}  // namespace
}  // namespace sonde::kernel
