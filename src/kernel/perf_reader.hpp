// SPDX-License-Identifier: Apache-2.0
// Consumer of a perf event array, the transport of kernels before 5.8.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::kernel {

/// Reads the rings of all CPUs. Not thread-safe.
class PerfReader {
 public:
  /// `bytes_per_cpu` is rounded to a power of two of pages.
  [[nodiscard]] static Result<PerfReader> make(int map_fd, std::size_t bytes_per_cpu);

  PerfReader(PerfReader&&) noexcept;
  PerfReader& operator=(PerfReader&&) noexcept;
  ~PerfReader();

  /// Up to `limit` records, copied out of the rings; the spans hold until the next call. Waits at most `timeout_ms`
  /// when there is none. The order holds within a CPU only.
  Result<std::span<const std::span<const std::uint8_t>>> read(std::size_t limit, int timeout_ms);

  /// Records that the kernel says did not fit (PERF_RECORD_LOST), so far.
  [[nodiscard]] std::uint64_t lost() const;

 private:
  struct State;
  explicit PerfReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde::kernel
