// SPDX-License-Identifier: Apache-2.0
// Reads what the programs log.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actuators/guard/guard.abi.h"
#include "base/fd.hpp"
#include "kernel/mapped_array.hpp"
#include "kernel/ring_reader.hpp"
#include "sonde/result.hpp"

namespace sonde::guard {

struct LogChoice {
  std::uint32_t outcomes = 0;  ///< bits 1 << sonde_guard_outcome
  std::uint32_t one_in = 1;
};

/// What the programs did with packets of the chosen outcomes since the reader was opened.
struct LogBooks {
  std::uint64_t logged = 0;   ///< handed to the ring
  std::uint64_t lost = 0;     ///< the ring had no room
  std::uint64_t skipped = 0;  ///< not sampled
};

/// The one reader of a guard's log. When it goes, the programs stop to log within three seconds, whatever ended it.
class LogReader {
 public:
  [[nodiscard]] static Result<LogReader> open(const std::string& directory, const LogChoice& choice);

  /// The next record, valid until release(); null: there is none now. Records of before open() are not given.
  [[nodiscard]] const sonde_guard_log* next();
  void release() { ring_.release(); }

  /// Has the programs go on logging. To be called every second. False: the guard was detached.
  [[nodiscard]] bool keep_on();

  /// Ends the logging and waits for the programs: what next() gives from here on is the rest, and the books are final.
  Result<void> stop();
  /// Final after stop().
  [[nodiscard]] Result<LogBooks> books() const;

 private:
  LogReader(std::string directory, Fd lock, Fd totals, kernel::MappedArray control, kernel::RingReader ring)
      : directory_(std::move(directory)),
        lock_(std::move(lock)),
        totals_(std::move(totals)),
        control_(std::move(control)),
        ring_(std::move(ring)) {}

  [[nodiscard]] sonde_guard_control& control() const;
  void skip_old();

  std::string directory_;
  Fd lock_;
  Fd totals_;
  kernel::MappedArray control_;
  kernel::RingReader ring_;
  LogBooks before_;
};

}  // namespace sonde::guard
