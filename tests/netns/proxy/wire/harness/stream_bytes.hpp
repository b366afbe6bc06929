// SPDX-License-Identifier: Apache-2.0
// What the peers say to each other: streams whose bytes are known from a number, behind a ClientHello.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sonde::test {

/// A ClientHello in one record, with the name and a number in its random field.
std::vector<std::uint8_t> client_hello(const std::string& name, std::uint64_t number);
/// Its size, once its record header is there; 0 before that.
std::size_t hello_size(const std::vector<std::uint8_t>& bytes);
std::uint64_t hello_number(const std::vector<std::uint8_t>& bytes);

/// Bytes of stream `seed` from a position on, as many as lie together, at most `size`.
struct Part {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
};
Part stream_part(std::uint64_t seed, std::uint64_t position, std::size_t size);
/// How many of these are as the stream has them from the position on.
std::size_t matching(std::uint64_t seed, std::uint64_t position, const std::uint8_t* bytes, std::size_t size);

}  // namespace sonde::test
