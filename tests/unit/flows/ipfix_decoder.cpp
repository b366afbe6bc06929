// SPDX-License-Identifier: Apache-2.0
#include "ipfix_decoder.hpp"

#include <stdexcept>

namespace sonde::test {
namespace {

std::uint64_t read(std::span<const std::uint8_t> bytes, std::size_t offset, std::size_t size) {
  if (offset + size > bytes.size()) throw std::runtime_error("IPFIX ends early");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[offset + i];
  return value;
}
std::uint16_t read16(std::span<const std::uint8_t> bytes, std::size_t offset) {
  return static_cast<std::uint16_t>(read(bytes, offset, 2));
}

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(std::string("IPFIX: ") + what);
}

}  // namespace

std::uint64_t IpfixRecord::number(std::uint16_t element) const {
  const auto& bytes = fields.at(element);
  return read(bytes, 0, bytes.size());
}

void IpfixDecoder::decode_templates(std::span<const std::uint8_t> set, bool is_options) {
  std::size_t at = 0;
  while (set.size() - at >= 4) {
    const auto id = read16(set, at);
    const auto count = read16(set, at + 2);
    require(id >= 256 && count > 0, "template header");
    at += 4;
    if (is_options) {
      const auto scopes = read16(set, at);
      require(scopes >= 1 && scopes <= count, "scope count");
      at += 2;
    }
    Template layout{{}, is_options};
    for (unsigned i = 0; i < count; ++i, at += 4) {
      const auto element = read16(set, at);
      require((element & 0x8000) == 0, "enterprise element");
      layout.fields.push_back({element, read16(set, at + 2)});
    }
    templates_[id] = layout;
  }
  for (; at < set.size(); ++at) require(set[at] == 0, "padding");
}

std::uint32_t IpfixDecoder::decode_data(const Template& layout, std::span<const std::uint8_t> set) {
  std::size_t size = 0;
  for (const auto& field : layout.fields) size += field.size;
  std::size_t at = 0;
  std::uint32_t count = 0;
  for (; set.size() - at >= size; ++count) {
    IpfixRecord record;
    for (const auto& field : layout.fields) {
      record.fields[field.element].assign(set.begin() + static_cast<std::ptrdiff_t>(at),
                                          set.begin() + static_cast<std::ptrdiff_t>(at + field.size));
      at += field.size;
    }
    (layout.options ? options : records).push_back(record);
  }
  for (; at < set.size(); ++at) require(set[at] == 0, "padding");
  return count;
}

void IpfixDecoder::decode(std::span<const std::uint8_t> message) {
  require(read16(message, 0) == 10, "version");
  require(read16(message, 2) == message.size(), "length");
  const auto sequence = static_cast<std::uint32_t>(read(message, 8, 4));
  domain = static_cast<std::uint32_t>(read(message, 12, 4));
  if (sequence != next_sequence) ++sequence_errors;
  next_sequence = sequence;
  bool has_templates = false;
  for (std::size_t at = 16; at < message.size();) {
    const auto id = read16(message, at);
    const auto length = read16(message, at + 2);
    require(length >= 4 && at + length <= message.size() && length % 4 == 0, "set length");
    const auto set = message.subspan(at + 4, length - 4U);
    if (id == 2 || id == 3) {
      has_templates = true;
      decode_templates(set, id == 3);
    } else {
      require(templates_.contains(id), "template is not known");
      next_sequence += decode_data(templates_.at(id), set);
    }
    at += length;
  }
  template_messages += has_templates ? 1 : 0;
}

}  // namespace sonde::test
