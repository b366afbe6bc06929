// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sonde::decode {

using Bytes = std::span<const std::uint8_t>;

inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Reads big-endian fields from the front. Once a read goes past the end, ok() is false, the reader is empty, and every
/// further read gives zero or nothing.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t size() const { return rest_.size(); }
  [[nodiscard]] Bytes rest() const { return rest_; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u24() { return number(3); }
  std::uint32_t u32() { return number(4); }

  /// The next `size` bytes; none if there are fewer.
  Bytes take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  /// As take(), but gives what is there when that is less; ok() is then false.
  Bytes take_available(std::size_t size) {
    if (size <= rest_.size()) return take(size);
    const Bytes available = rest_;
    ok_ = false;
    rest_ = {};
    return available;
  }

 private:
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const std::uint8_t byte : take(size)) value = value << 8 | byte;
    return value;
  }

  Bytes rest_;
  bool ok_ = true;
};

}  // namespace sonde::decode
