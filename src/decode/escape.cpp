// SPDX-License-Identifier: Apache-2.0
#include "decode/escape.hpp"

namespace sonde::decode {

void append_decimal_escape(std::string& out, std::uint8_t byte) {
  out += '\\';
  out += static_cast<char>('0' + byte / 100);
  out += static_cast<char>('0' + byte / 10 % 10);
  out += static_cast<char>('0' + byte % 10);
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char character : text) {
    if (character == '\\') {
      out += "\\\\";
    } else if (character >= ' ' && character <= '~') {
      out += character;
    } else {
      append_decimal_escape(out, static_cast<std::uint8_t>(character));
    }
  }
}

}  // namespace sonde::decode
