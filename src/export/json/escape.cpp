// SPDX-License-Identifier: Apache-2.0
#include "export/json/escape.hpp"

#include <cstdint>

namespace sonde::exporter {
namespace {

// Lead bytes and the range of the byte after them; the bytes after that are 80 to BF (Unicode 15, table 3-7).
struct Utf8Form {
  std::uint8_t first_lead, last_lead;
  std::uint8_t first_next, last_next;
  std::uint8_t size;
};

constexpr Utf8Form forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

bool is_continuation(char character) { return (static_cast<std::uint8_t>(character) & 0xc0) == 0x80; }

// Bytes of the character that `text` begins with; 0 if they are not UTF-8. For lead bytes from 0x80 on.
std::size_t utf8_size(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text[0]);
  for (const Utf8Form& form : forms) {
    if (lead < form.first_lead || lead > form.last_lead) continue;
    if (text.size() < form.size) return 0;
    const auto next = static_cast<std::uint8_t>(text[1]);
    if (next < form.first_next || next > form.last_next) return 0;
    for (std::size_t i = 2; i < form.size; ++i) {
      if (!is_continuation(text[i])) return 0;
    }
    return form.size;
  }
  return 0;
}

void append_control(std::string& out, std::uint8_t byte) {
  out += "\\u00";
  out += "0123456789abcdef"[byte >> 4];
  out += "0123456789abcdef"[byte & 15];
}

// Appends the first character of `text` and gives its size.
std::size_t append_character(std::string& out, std::string_view text) {
  const auto byte = static_cast<std::uint8_t>(text[0]);
  if (byte >= 0x80) {
    const std::size_t size = utf8_size(text);
    out += size == 0 ? "\\ufffd" : text.substr(0, size);
    return size == 0 ? 1 : size;
  }
  if (byte < 0x20 || byte == 0x7f) {
    append_control(out, byte);
    return 1;
  }
  if (byte == '"' || byte == '\\') out += '\\';
  out += static_cast<char>(byte);
  return 1;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) text.remove_prefix(append_character(out, text));
  out += '"';
}

void append_json_member(std::string& out, std::string_view name, std::string_view text) {
  out.append("\"").append(name).append("\":");
  append_json_string(out, text);
  out += ',';
}

}  // namespace sonde::exporter
