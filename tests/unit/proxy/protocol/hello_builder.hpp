// SPDX-License-Identifier: Apache-2.0
// A ClientHello from its parts, and records from a message.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::proxy {

using Buffer = std::vector<std::uint8_t>;

Buffer operator+(Buffer left, const Buffer& right);
/// `size` bytes, big-endian.
Buffer number(std::size_t value, std::size_t size);
/// The bytes behind their own number, which has `size` bytes.
Buffer counted(const Buffer& bytes, std::size_t size);
Buffer bytes_of(std::string_view text);
/// A number each of two bytes.
Buffer numbers(const std::vector<std::uint16_t>& values);

struct HelloExtension {
  std::uint16_t type;
  Buffer data;
};
HelloExtension server_name(std::string_view name);
HelloExtension alpn(const std::vector<std::string>& names);
HelloExtension supported_versions(const std::vector<std::uint16_t>& versions);
HelloExtension signature_algorithms(const std::vector<std::uint16_t>& algorithms);

struct HelloParts {
  std::uint16_t version = 0x0303;
  Buffer session = Buffer(32, 0x55);
  std::vector<std::uint16_t> cipher_suites = {0x1301, 0x1302};
  Buffer compression_methods = {0};
  std::vector<HelloExtension> extensions{};
};
/// The handshake message: type, length, body.
Buffer hello_message(const HelloParts& parts);
/// The message in records of at most `most` bytes each.
Buffer in_records(const Buffer& message, std::size_t most = 16384);

}  // namespace sonde::proxy
