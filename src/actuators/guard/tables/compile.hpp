// SPDX-License-Identifier: Apache-2.0
// Rules to the tables that the guard's programs read. Pure: no I/O, no clock.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/guard.hpp"
#include "sonde/result.hpp"

namespace sonde::guard {

struct CompileOptions {
  std::uint64_t generation = 1;  ///< names the rule set; in log records
  std::int64_t wall_now_ns = 0;  ///< now on both clocks: what turns expires_wall_ns into the kernel's time
  std::int64_t monotonic_now_ns = 0;
  /// Index of an interface that a rule names; 0: there is none, and the rule matches nothing. Unset: there are none.
  std::function<std::uint32_t(const std::string& name)> ifindex = {};
  int cpus = 1;                                        ///< that may count: kernel::possible_cpus()
  std::size_t counter_bytes = std::size_t{256} << 20;  ///< with more, CPUs share counters (atomic instructions)
};

/// A compiled rule set: `elements` of SONDE_GUARD_ELEMENT_SIZE bytes.
struct Blob {
  std::vector<std::uint8_t> bytes;
  std::uint32_t elements = 0;
};

/// The number of a rule, in references, counters and log records, is its place in `rules`. `source` is kept with the
/// tables and given back by BlobView::source(), byte for byte.
///
/// ErrorKind::usage: more rules, or more rules for one address, than the tables hold; a limit without a rate; a network
/// with host bits.
[[nodiscard]] Result<Blob> compile(std::span<const GuardRule> rules, std::string_view source,
                                   const CompileOptions& options);

}  // namespace sonde::guard
