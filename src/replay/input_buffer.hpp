// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::replay {

/// Bytes of a file or pipe in large reads. Not mapped: a file that shrinks under a mapping would kill the process.
///
/// bytes() stays where it is until fill(): packets of one batch point into it.
class InputBuffer {
 public:
  /// What the reader waits for, and what it means if the file ends before.
  struct Need {
    std::size_t size = 0;   ///< bytes at offset()
    const char* what = "";  ///< "packet record", for the message
    bool may_end = false;   ///< the file may end here, between two records
  };

  explicit InputBuffer(Fd fd);
  /// A file that is in memory already.
  explicit InputBuffer(std::vector<std::uint8_t> content);

  /// What is there and not consumed. Mutable: cooked link headers are rewritten in place.
  [[nodiscard]] std::span<std::uint8_t> bytes() { return {buffer_.data() + begin_, end_ - begin_}; }
  /// Position of bytes() in the file.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

  /// True: at least `size` bytes are there. False: fill() first; need() tells what was asked for.
  [[nodiscard]] bool require(std::size_t size, const char* what, bool may_end = false) {
    if (skip_ == 0 && end_ - begin_ >= size) return true;
    need_ = {size, what, may_end};
    return false;
  }
  [[nodiscard]] const Need& need() const { return need_; }

  /// At most bytes().size().
  void consume(std::size_t size) {
    begin_ += size;
    offset_ += size;
  }
  /// Bytes that nobody wants to see; may be more than are there.
  void skip(std::uint64_t size);

  /// The file is at its end: need() will never be met.
  [[nodiscard]] bool at_end() const { return at_end_; }
  /// The end is a proper one: after a whole record.
  [[nodiscard]] bool ends_well() const { return need_.may_end && skip_ == 0 && begin_ == end_; }

  /// Reads once, waiting at most `timeout`. True: something came, or the end. Invalidates bytes().
  Result<bool> fill(std::chrono::milliseconds timeout);

 private:
  void make_room();
  void discard_skipped();

  Fd fd_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t skip_ = 0;
  Need need_;
  bool at_end_ = false;
};

}  // namespace sonde::replay
