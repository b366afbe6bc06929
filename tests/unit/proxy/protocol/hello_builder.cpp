// SPDX-License-Identifier: Apache-2.0
#include "hello_builder.hpp"

#include <algorithm>

namespace sonde::proxy {

Buffer operator+(Buffer left, const Buffer& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Buffer number(std::size_t value, std::size_t size) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[size - 1 - i] = static_cast<std::uint8_t>(value >> 8 * i);
  return bytes;
}

Buffer counted(const Buffer& bytes, std::size_t size) { return number(bytes.size(), size) + bytes; }

Buffer bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

Buffer numbers(const std::vector<std::uint16_t>& values) {
  Buffer bytes;
  for (const std::uint16_t value : values) bytes = bytes + number(value, 2);
  return bytes;
}

HelloExtension server_name(std::string_view name) { return {0, counted(Buffer{0} + counted(bytes_of(name), 2), 2)}; }

HelloExtension alpn(const std::vector<std::string>& names) {
  Buffer list;
  for (const std::string& name : names) list = list + counted(bytes_of(name), 1);
  return {16, counted(list, 2)};
}

HelloExtension supported_versions(const std::vector<std::uint16_t>& versions) {
  return {43, counted(numbers(versions), 1)};
}

HelloExtension signature_algorithms(const std::vector<std::uint16_t>& algorithms) {
  return {13, counted(numbers(algorithms), 2)};
}

Buffer hello_message(const HelloParts& parts) {
  Buffer extensions;
  for (const auto& [type, data] : parts.extensions) extensions = extensions + number(type, 2) + counted(data, 2);
  Buffer body = number(parts.version, 2) + Buffer(32, 0xaa) + counted(parts.session, 1) +
                counted(numbers(parts.cipher_suites), 2) + counted(parts.compression_methods, 1);
  if (!parts.extensions.empty()) body = body + counted(extensions, 2);
  return Buffer{1} + counted(body, 3);
}

Buffer in_records(const Buffer& message, std::size_t most) {
  Buffer records;
  for (std::size_t at = 0; at < message.size(); at += most) {
    const auto begin = message.begin() + static_cast<std::ptrdiff_t>(at);
    const auto size = static_cast<std::ptrdiff_t>(std::min(most, message.size() - at));
    const Buffer record = Buffer{22, 3, 1} + counted(Buffer(begin, begin + size), 2);
    records.insert(records.end(), record.begin(), record.end());
  }
  return records;
}

}  // namespace sonde::proxy
