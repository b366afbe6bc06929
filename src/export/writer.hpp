// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "export/sinks.hpp"

namespace sonde::exporter {

/// Collects units (a packet's record, a header block) and writes them to a file descriptor. A unit is never split over
/// two rounds of write(2), so after a failure the file can be cut back to a whole one.
class FdWriter {
 public:
  explicit FdWriter(Output output);

  /// Where the next unit may be built: at least `size` bytes. Writes out when the buffer is full; nullptr when that
  /// failed (error() says how).
  [[nodiscard]] char* room(std::size_t size) {
    if (capacity_ - used_ >= size) [[likely]]
      return buffer_.get() + used_;
    return make_room(size);
  }

  /// The unit in the room ends at `end`.
  void end_packet(const char* end) { end_unit(end, 1); }
  void end_header(const char* end) { end_unit(end, 0); }

  Result<void> flush();

  /// The failure that ended the output; call only after room() gave nullptr.
  [[nodiscard]] std::unexpected<Error> error() const { return std::unexpected(*error_); }

  /// Packets whose last byte the kernel has taken.
  [[nodiscard]] std::uint64_t written() const { return written_; }

  [[nodiscard]] const std::string& name() const { return output_.name; }

 private:
  char* make_room(std::size_t size);
  void end_unit(const char* end, std::uint32_t packets) {
    used_ = static_cast<std::size_t>(end - buffer_.get());
    units_.push_back({static_cast<std::uint32_t>(used_), packets});
  }
  Result<void> write_all(std::size_t& done);
  std::size_t count_units(std::size_t done);
  void cut_file(std::size_t excess);

  struct Unit {
    std::uint32_t end;      // offset in the buffer
    std::uint32_t packets;  // 1, or 0 for a header
  };

  Output output_;
  std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t used_ = 0;
  std::vector<Unit> units_;
  std::uint64_t written_ = 0;
  std::optional<Error> error_;
};

}  // namespace sonde::exporter
