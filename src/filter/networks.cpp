// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "filter/fields.hpp"
#include "filter/words.hpp"

namespace sonde::filter {
namespace {

using Address = std::array<std::uint8_t, 16>;  // network byte order

constexpr std::string_view expected_network =
    "an IPv4 or IPv6 address such as 10.0.0.1 or a network such as 10.0.0.0/8";
constexpr Address mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct Network {
  Address address;
  std::uint32_t prefix;   // leading bits that count, of 128
  std::uint32_t skipped;  // bits of `prefix` that the written form leaves out: 96 for IPv4
};

std::optional<Network> parse_address(const std::string& text) {
  Network network = {mapped_prefix, 128, 96};
  if (inet_pton(AF_INET, text.c_str(), &network.address[12]) == 1) return network;
  if (inet_pton(AF_INET6, text.c_str(), network.address.data()) != 1) return std::nullopt;
  network.skipped = 0;
  return network;
}

Address prefix_mask(std::uint32_t prefix) {
  Address mask = {};
  for (std::uint32_t bit = 0; bit < prefix; ++bit) mask[bit / 8] |= static_cast<std::uint8_t>(0x80 >> (bit % 8));
  return mask;
}

Address masked(const Address& address, const Address& mask) {
  Address result;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = address[i] & mask[i];
  return result;
}

std::string address_text(const Address& address, const Network& written) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  const bool ipv4 = written.skipped != 0;
  inet_ntop(ipv4 ? AF_INET : AF_INET6, &address[ipv4 ? 12 : 0], text.data(), text.size());
  return text.data();
}

Result<Network> parse_network(std::string_view option, std::string_view word) {
  const std::size_t slash = word.find('/');
  // inet_pton stops at NUL: a word with one inside would be read in part.
  auto network =
      word.find('\0') == std::string_view::npos ? parse_address(std::string(word.substr(0, slash))) : std::nullopt;
  if (!network) return wrong_word(option, word, "not an address or network", expected_network);
  if (slash == std::string_view::npos) return *network;

  const std::uint32_t limit = 128 - network->skipped;
  const auto prefix = parse_number(word.substr(slash + 1), limit);
  if (!prefix) return wrong_word(option, word, "the prefix length is wrong", fmt::format("/0 to /{}", limit));
  network->prefix = *prefix + network->skipped;

  const Address first = masked(network->address, prefix_mask(network->prefix));
  if (first == network->address) return *network;
  return wrong_word(
      option, word, "host bits are set",
      fmt::format("{}/{} or {}", address_text(first, *network), *prefix, address_text(network->address, *network)));
}

Result<void> add_network(std::string_view option, std::string_view word, sonde_network_list& list) {
  const auto network = parse_network(option, word);
  if (!network) return std::unexpected(network.error());
  if (list.count == SONDE_FILTER_NETWORKS) {
    return wrong_word(option, word, "too many networks",
                      fmt::format("at most {}; larger lists fit into the filter expression",
                                  static_cast<int>(SONDE_FILTER_NETWORKS)));
  }
  sonde_network& entry = list.networks[list.count++];
  const Address mask = prefix_mask(network->prefix);
  std::memcpy(entry.network, network->address.data(), sizeof(entry.network));
  std::memcpy(entry.mask, mask.data(), sizeof(entry.mask));
  return {};
}

}  // namespace

Result<void> add_networks(std::string_view option, const std::vector<std::string>& words, sonde_network_list& list) {
  for (const std::string& word : words) {
    for (const std::string_view part : split_commas(word)) {
      if (auto added = add_network(option, part, list); !added) return added;
    }
  }
  return {};
}

}  // namespace sonde::filter
