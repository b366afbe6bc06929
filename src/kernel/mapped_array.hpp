// SPDX-License-Identifier: Apache-2.0
// Array maps whose memory user space reads and writes without a system call.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// An array map and its mapped memory. The map lives on as long as a program, another map, a pin or a descriptor has
/// it.
class MappedArray {
 public:
  /// `value_size`: a multiple of 8. With `inner` it may stand in a map of maps whose inner maps have this value size
  /// and any number of elements (BPF_F_INNER_MAP, Linux 5.10).
  [[nodiscard]] static Result<MappedArray> create(const std::string& name, std::uint32_t value_size,
                                                  std::uint32_t entries, bool inner = false);
  /// Maps one that is there. Takes the descriptor.
  [[nodiscard]] static Result<MappedArray> open(Fd fd);

  MappedArray(MappedArray&& other) noexcept;
  MappedArray& operator=(MappedArray&& other) noexcept;
  ~MappedArray();

  [[nodiscard]] std::span<std::uint8_t> memory() const { return memory_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  MappedArray(Fd fd, std::span<std::uint8_t> memory) : fd_(std::move(fd)), memory_(memory) {}

  Fd fd_;
  std::span<std::uint8_t> memory_;
};

/// The map in an element of an array of maps; empty: there is none.
[[nodiscard]] Result<std::optional<Fd>> inner_map(int outer_fd, std::uint32_t index);

}  // namespace sonde::kernel
