// SPDX-License-Identifier: Apache-2.0
// A plain decoder of IPFIX (RFC 7011): templates, options templates, data. Throws at what is not well-formed.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace sonde::test {

struct IpfixRecord {
  std::map<std::uint16_t, std::vector<std::uint8_t>> fields;  ///< by element

  /// Network byte order to number.
  [[nodiscard]] std::uint64_t number(std::uint16_t element) const;
};

struct IpfixDecoder {
  std::vector<IpfixRecord> records;
  std::vector<IpfixRecord> options;
  std::uint32_t domain = 0;
  std::uint32_t next_sequence = 0;
  std::uint64_t sequence_errors = 0;
  std::uint64_t template_messages = 0;  ///< messages with a template set

  void decode(std::span<const std::uint8_t> message);

 private:
  struct Field {
    std::uint16_t element, size;
  };
  struct Template {
    std::vector<Field> fields;
    bool options = false;
  };
  void decode_templates(std::span<const std::uint8_t> set, bool is_options);
  std::uint32_t decode_data(const Template& layout, std::span<const std::uint8_t> set);
  std::map<std::uint16_t, Template> templates_;
};

}  // namespace sonde::test
