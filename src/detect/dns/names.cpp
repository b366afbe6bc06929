// SPDX-License-Identifier: Apache-2.0
#include "detect/dns/names.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace sonde::detect {

namespace {

std::vector<std::string_view> labels_of(std::string_view name) {
  std::vector<std::string_view> labels;
  while (!name.empty()) {
    const auto dot = name.find('.');
    labels.push_back(name.substr(0, dot));
    name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  }
  return labels;
}

bool all_of(std::string_view text, std::string_view letters) {
  return !text.empty() && text.find_first_not_of(letters) == std::string_view::npos;
}

constexpr std::string_view digits = "0123456789", hex_digits = "0123456789abcdefABCDEF";

bool is_category(std::string_view label) {
  static constexpr std::array<std::string_view, 9> categories{"ac",  "co", "com", "edu", "gov",
                                                              "net", "ne", "or",  "org"};
  return std::ranges::find(categories, label) != categories.end();
}

bool is_reversed_address(const std::vector<std::string_view>& labels) {
  const auto octets =
      std::ranges::count_if(labels, [](auto label) { return label.size() <= 3 && all_of(label, digits); });
  const auto nibbles =
      std::ranges::count_if(labels, [](auto label) { return label.size() == 1 && all_of(label, hex_digits); });
  const auto rest = static_cast<std::ptrdiff_t>(labels.size()) - 2;  // the list may have labels of its own
  return (octets >= 4 && octets >= rest) || (nibbles >= 16 && nibbles >= rest);
}

/// MD5, SHA-1, SHA-256; as one label of their own.
bool is_hash(const std::vector<std::string_view>& labels) {
  const auto is_usual = [](auto label) {
    return (label.size() == 32 || label.size() == 40 || label.size() == 64) && all_of(label, hex_digits);
  };
  const auto length = [](auto sum, auto label) { return sum + label.size(); };
  std::size_t all = 0;
  for (const auto label : labels) all = length(all, label);
  return std::ranges::count_if(labels, is_usual) == 1 && labels.size() <= 3 && all <= labels[0].size() + 16;
}

}  // namespace

SplitName split_name(std::string_view name) {
  std::size_t labels = 2;
  const auto all = labels_of(name);
  if (all.size() >= 3 && all.back().size() == 2 && is_category(all[all.size() - 2])) labels = 3;
  if (all.size() <= labels) return {{}, name};
  std::size_t length = labels - 1;
  for (std::size_t i = all.size() - labels; i < all.size(); ++i) length += all[i].size();
  return {name.substr(0, name.size() - length - 1), name.substr(name.size() - length)};
}

bool is_usual_data(const SplitName& name) {
  if (name.domain == "in-addr.arpa" || name.domain == "ip6.arpa") return true;
  const auto labels = labels_of(name.data);
  if (std::ranges::any_of(labels, [](auto label) { return label.starts_with('_'); })) return true;
  return is_reversed_address(labels) || is_hash(labels);
}

double entropy_of(std::string_view text) {
  std::array<int, 256> counts{};
  int all = 0;
  for (const auto letter : text) {
    if (letter == '.') continue;
    ++counts[static_cast<unsigned char>(letter)];
    ++all;
  }
  double bits = 0;
  for (const auto count : counts) {
    if (count == 0) continue;
    const auto share = static_cast<double>(count) / all;
    bits -= share * std::log2(share);
  }
  return bits;
}

}  // namespace sonde::detect
