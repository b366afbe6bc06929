// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/config/server_name.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sonde::proxy {
namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_label = 63;

// The byte in lower case; 0: no byte of a host name.
constexpr std::array<char, 256> folded = [] {
  std::array<char, 256> table{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789-_."))
    table[static_cast<std::uint8_t>(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<std::uint8_t>(c)] = static_cast<char>(c - 'A' + 'a');
  return table;
}();

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_hexadecimal(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

// inet_aton(3) reads "10.1" and "0x7f000001" as addresses.
bool is_number(std::string_view label) {
  if (label.starts_with("0x")) return std::ranges::all_of(label.substr(2), is_hexadecimal);
  return std::ranges::all_of(label, is_digit);
}

}  // namespace

std::string fold_server_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > longest_name) return {};
  std::string result(name.size(), '\0');
  std::size_t label = 0;  // where the current one begins
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = folded[static_cast<std::uint8_t>(name[i])];
    if (c == '\0') return {};
    if (c == '.') {
      if (i == label) return {};
      label = i + 1;
    } else if (i - label == longest_label) {
      return {};
    }
    result[i] = c;
  }
  if (label == result.size() || is_number(std::string_view(result).substr(label))) return {};
  return result;
}

}  // namespace sonde::proxy
