// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "filter/fields.hpp"
#include "filter/words.hpp"

namespace sonde::filter {
namespace {

constexpr std::string_view expected_port = "a port 0 to 65535 or a range such as 8000-8080";

Result<void> add_port_range(std::string_view option, std::string_view word, sonde_port_set& ports) {
  const std::size_t dash = word.find('-');
  const auto first = parse_number(word.substr(0, dash), 65535);
  const auto last = dash == std::string_view::npos ? first : parse_number(word.substr(dash + 1), 65535);
  if (!first || !last) return wrong_word(option, word, "not a port", expected_port);
  if (*first > *last) return wrong_word(option, word, "the range is reversed", fmt::format("{}-{}", *last, *first));
  for (std::uint32_t port = *first; port <= *last; ++port) ports.words[port >> 6] |= 1ULL << (port & 63);
  return {};
}

}  // namespace

Result<void> add_ports(std::string_view option, const std::vector<std::string>& words, sonde_port_set& ports) {
  for (const std::string& word : words) {
    for (const std::string_view part : split_commas(word)) {
      if (auto added = add_port_range(option, part, ports); !added) return added;
    }
  }
  return {};
}

}  // namespace sonde::filter
