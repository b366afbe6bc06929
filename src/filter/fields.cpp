// SPDX-License-Identifier: Apache-2.0
#include "filter/fields.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sonde/abi/packet.h>

#include <array>
#include <limits>

#include "filter/words.hpp"

namespace sonde::filter {
namespace {

struct NamedValue {
  std::string_view name;
  std::uint8_t value;
};

constexpr std::array<NamedValue, 5> protocols = {{{"tcp", IPPROTO_TCP},
                                                  {"udp", IPPROTO_UDP},
                                                  {"icmp", IPPROTO_ICMP},
                                                  {"icmp6", IPPROTO_ICMPV6},
                                                  {"sctp", IPPROTO_SCTP}}};
constexpr std::array<NamedValue, 2> directions = {{{"in", SONDE_DIRECTION_IN}, {"out", SONDE_DIRECTION_OUT}}};

template <std::size_t N>
std::optional<std::uint8_t> find_name(const std::array<NamedValue, N>& table, std::string_view name) {
  for (const auto& entry : table) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

Result<void> set_protocol(const std::string& word, sonde_filter& filter) {
  if (word == "all") return {};
  std::optional<std::uint8_t> value = find_name(protocols, word);
  if (!value) value = parse_number(word, 255);
  if (!value) {
    return wrong_word("--protocol", word, "not a protocol", "tcp, udp, icmp, icmp6, sctp, all or a number 0 to 255");
  }
  filter.tests |= SONDE_TEST_PROTOCOL;
  filter.protocol = *value;
  return {};
}

Result<void> set_direction(const std::string& word, sonde_filter& filter) {
  if (word == "both") return {};
  const std::optional<std::uint8_t> value = find_name(directions, word);
  if (!value) return wrong_word("--direction", word, "not a direction", "in, out or both");
  filter.tests |= SONDE_TEST_DIRECTION;
  filter.direction = *value;
  return {};
}

Result<void> set_sizes(const FilterOptions& options, sonde_filter& filter) {
  if (!options.min_size && !options.max_size) return {};
  filter.tests |= SONDE_TEST_SIZE;
  filter.min_size = options.min_size.value_or(0);
  filter.max_size = options.max_size.value_or(std::numeric_limits<std::uint32_t>::max());
  if (filter.min_size <= filter.max_size) return {};
  return wrong_word("--min-size", std::to_string(filter.min_size),
                    fmt::format("larger than --max-size {}", filter.max_size), fmt::format("0 to {}", filter.max_size));
}

Result<void> set_ports(const FilterOptions& options, sonde_filter& filter) {
  const struct {
    std::string_view option;
    const std::vector<std::string>& words;
    sonde_filter_test test;
    sonde_port_set& ports;
  } lists[] = {
      {"--src-port", options.source_ports, SONDE_TEST_SOURCE_PORT, filter.source_ports},
      {"--dst-port", options.destination_ports, SONDE_TEST_DESTINATION_PORT, filter.destination_ports},
      {"--port", options.ports, SONDE_TEST_ANY_PORT, filter.either_ports},
  };
  for (const auto& list : lists) {
    if (list.words.empty()) continue;
    filter.tests |= list.test;
    if (auto added = add_ports(list.option, list.words, list.ports); !added) return added;
  }
  return {};
}

Result<void> set_networks(const FilterOptions& options, sonde_filter& filter) {
  if (auto added = add_networks("--src-ip", options.source_networks, filter.source); !added) return added;
  if (auto added = add_networks("--dst-ip", options.destination_networks, filter.destination); !added) return added;
  return add_networks("--ip", options.networks, filter.either);
}

}  // namespace

Result<void> compile_fields(const FilterOptions& options, sonde_filter& filter) {
  if (auto set = set_protocol(options.protocol, filter); !set) return set;
  if (auto set = set_networks(options, filter); !set) return set;
  if (auto set = set_ports(options, filter); !set) return set;
  if (auto set = set_direction(options.direction, filter); !set) return set;
  return set_sizes(options, filter);
}

}  // namespace sonde::filter
