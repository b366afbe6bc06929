// SPDX-License-Identifier: Apache-2.0
#include "decode/dns_names.hpp"

#include "decode/escape.hpp"

namespace sonde::decode {
namespace {

constexpr std::size_t max_name_size = 255;
constexpr std::uint8_t label_kind_mask = 0xc0;
constexpr std::uint8_t label_kind_pointer = 0xc0;

// A walk over the labels of one name.
struct NameWalk {
  Bytes message;
  std::size_t offset;         // next byte to read
  std::size_t start;          // where the labels since the last pointer began
  std::size_t next = 0;       // after the name: set at the first pointer, else at its end
  std::size_t name_size = 0;  // bytes of the name without compression
  std::string text;
};

bool follow_pointer(NameWalk& walk) {
  if (walk.offset + 2 > walk.message.size()) return false;
  const std::size_t target =
      static_cast<std::size_t>(walk.message[walk.offset] & ~label_kind_mask) << 8 | walk.message[walk.offset + 1];
  if (target >= walk.start) return false;
  if (walk.next == 0) walk.next = walk.offset + 2;
  walk.offset = walk.start = target;
  return true;
}

bool append_label(NameWalk& walk, std::uint8_t size) {
  walk.name_size += size + 1U;
  if (walk.offset + 1 + size > walk.message.size() || walk.name_size >= max_name_size) return false;
  if (!walk.text.empty()) walk.text += '.';
  append_dns_text(walk.text, walk.message.subspan(walk.offset + 1, size), false);
  walk.offset += size + 1U;
  return true;
}

}  // namespace

std::optional<DnsName> read_dns_name(Bytes message, std::size_t offset) {
  NameWalk walk{.message = message, .offset = offset, .start = offset, .text = {}};
  while (walk.offset < message.size()) {
    const std::uint8_t byte = message[walk.offset];
    if (byte == 0) {
      if (walk.next == 0) walk.next = walk.offset + 1;
      return DnsName{walk.text.empty() ? "." : std::move(walk.text), walk.next};
    }
    const std::uint8_t kind = byte & label_kind_mask;
    if (kind != 0 && kind != label_kind_pointer) return std::nullopt;
    if (kind == label_kind_pointer ? !follow_pointer(walk) : !append_label(walk, byte)) return std::nullopt;
  }
  return std::nullopt;
}

// BIND 9 lib/dns/name.c and rdata.c: in names " ( ) . ; \ @ $ get a backslash and space is \032; in strings only "
// and \.
void append_dns_text(std::string& out, Bytes characters, bool quoted) {
  const std::string_view special = quoted ? "\"\\" : "\"().;\\@$";
  const char first_plain = quoted ? ' ' : '!';
  for (const std::uint8_t byte : characters) {
    const char character = static_cast<char>(byte);
    if (character < first_plain || character > '~') {
      append_decimal_escape(out, byte);
      continue;
    }
    if (special.find(character) != std::string_view::npos) out += '\\';
    out += character;
  }
}

}  // namespace sonde::decode
