// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259) as a tree that knows the line of everything in it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::proxy {

struct Node {
  enum class Kind : std::uint8_t { null, boolean, integer, real, text, list, object };
  Kind kind = Kind::null;
  bool boolean = false;
  std::uint32_t line = 1;      ///< on which the value begins; of text: ends, which is the same
  std::uint32_t key_line = 1;  ///< on which its key stands
  std::int64_t integer = 0;
  double real = 0;  ///< of an integer that does not fit, too
  std::string text;
  std::string key;  ///< of a member of an object
  std::vector<Node> children;
};

/// `name` stands for the file in errors, which begin with "NAME:LINE: ". Keys given twice, bytes after the end and more
/// than 16 levels are errors.
[[nodiscard]] Result<Node> parse_json(std::string_view text, const std::string& name);

/// For messages: control characters and what is not ASCII escaped, cut after 100 bytes.
[[nodiscard]] std::string printable(std::string_view text);
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace sonde::proxy
