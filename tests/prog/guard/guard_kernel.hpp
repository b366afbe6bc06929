// SPDX-License-Identifier: Apache-2.0
// The guard's programs, loaded, run on frames by BPF_PROG_TEST_RUN. Failures throw std::runtime_error.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actuators/guard/model/decide.hpp"
#include "actuators/guard/tables/rule_set_map.hpp"
#include "harness/packet_builder.hpp"
#include "kernel/object.hpp"

namespace sonde::test {

/// What a run of a program left behind: the outcome is the one whose counter moved.
struct GuardRun {
  bool dropped = false;
  sonde_guard_outcome outcome = SONDE_GUARD_UNGUARDED;
};

class GuardKernel {
 public:
  GuardKernel();

  /// Compiles the rules and puts them into the kernel.
  void install(std::span<const GuardRule> rules, guard::CompileOptions options = {});
  void install(const guard::Blob& blob);

  /// By guard_xdp, guard_ingress, guard_egress, guard_raw_ingress or guard_raw_egress.
  GuardRun run(const std::string& program, const Bytes& frame, std::uint32_t repeat = 1);
  /// `ifindex`: the tc packet's interface; `gso_segments`: packets that it stands for.
  GuardRun run_tc(const std::string& program, const Bytes& frame, std::uint32_t ifindex, std::uint32_t gso_segments);

  [[nodiscard]] sonde_guard_totals totals() const;
  [[nodiscard]] guard::BlobView view() const;
  [[nodiscard]] guard::RuleSetMap& rule_set() { return *rule_set_; }
  [[nodiscard]] const kernel::Object& object() const { return *object_; }
  [[nodiscard]] int map(const std::string& name) const;

 private:
  std::optional<kernel::Object> object_;
  std::optional<guard::RuleSetMap> rule_set_;
};

/// Runs an XDP program so often. For threads that do not look at totals.
void run_many(int program, const Bytes& frame, std::uint32_t times);

/// Wall time is monotonic time plus this, in the tests.
inline constexpr std::int64_t test_wall_offset_ns = 1'800'000'000'000'000'000;
[[nodiscard]] guard::CompileOptions compile_options();
[[nodiscard]] std::int64_t test_now_wall_ns();

}  // namespace sonde::test
