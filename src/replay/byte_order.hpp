// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

namespace sonde::replay {

/// Loads numbers in the byte order of a file's writer.
struct ByteOrder {
  bool swapped = false;  ///< the writer's byte order is not this machine's

  [[nodiscard]] std::uint16_t u16(const std::uint8_t* p) const { return load<std::uint16_t>(p); }
  [[nodiscard]] std::uint32_t u32(const std::uint8_t* p) const { return load<std::uint32_t>(p); }
  [[nodiscard]] std::uint64_t u64(const std::uint8_t* p) const { return load<std::uint64_t>(p); }

 private:
  template <class T>
  [[nodiscard]] T load(const std::uint8_t* p) const {
    T value;
    std::memcpy(&value, p, sizeof(value));
    return swapped ? std::byteswap(value) : value;
  }
};

/// Network byte order.
inline constexpr ByteOrder big_endian{std::endian::native == std::endian::little};

}  // namespace sonde::replay
