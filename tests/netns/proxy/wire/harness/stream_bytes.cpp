// SPDX-License-Identifier: Apache-2.0
#include "stream_bytes.hpp"

#include <algorithm>
#include <random>

namespace sonde::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t random_offset = 5 + 4 + 2;  // record header, handshake header, version

Bytes vector_of(std::size_t length_size, const Bytes& content) {
  Bytes bytes;
  for (std::size_t i = length_size; i > 0; --i)
    bytes.push_back(static_cast<std::uint8_t>(content.size() >> (8 * (i - 1))));
  bytes.insert(bytes.end(), content.begin(), content.end());
  return bytes;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes bytes;
  for (const auto& part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

// Long, random, and of a prime size, so that no two positions near each other look alike.
const Bytes& block() {
  constexpr std::size_t prime = 2'097'143;
  static const Bytes bytes = [] {
    Bytes made(prime);
    std::mt19937_64 random(7);
    for (auto& byte : made) byte = static_cast<std::uint8_t>(random() >> 32);
    return made;
  }();
  return bytes;
}

}  // namespace

// RFC 8446 section 4.1.2
Bytes client_hello(const std::string& name, std::uint64_t number) {
  Bytes random(32, 0x5a);
  for (std::size_t i = 0; i < 8; ++i) random[i] = static_cast<std::uint8_t>(number >> (8 * (7 - i)));
  const auto server_name =
      joined({{0, 0}, vector_of(2, vector_of(2, joined({{0}, vector_of(2, {name.begin(), name.end()})})))});
  const Bytes versions{0, 43, 0, 5, 4, 3, 4, 3, 3};
  const auto body =
      joined({{3, 3}, random, {0}, {0, 2, 0x13, 1}, {1, 0}, vector_of(2, joined({server_name, versions}))});
  return joined({{0x16, 3, 1}, vector_of(2, joined({{1}, vector_of(3, body)}))});
}

std::size_t hello_size(const Bytes& bytes) { return bytes.size() < 5 ? 0 : 5 + (bytes[3] << 8 | bytes[4]); }

std::uint64_t hello_number(const Bytes& bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | bytes.at(random_offset + i);
  return number;
}

Part stream_part(std::uint64_t seed, std::uint64_t position, std::size_t size) {
  const auto at = (seed * 7919 + position) % block().size();
  return {block().data() + at, std::min(size, block().size() - at)};
}

std::size_t matching(std::uint64_t seed, std::uint64_t position, const std::uint8_t* bytes, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const auto part = stream_part(seed, position + done, size - done);
    const auto* const differs = std::mismatch(part.data, part.data + part.size, bytes + done).first;
    done += static_cast<std::size_t>(differs - part.data);
    if (differs != part.data + part.size) break;
  }
  return done;
}

}  // namespace sonde::test
