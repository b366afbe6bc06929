// SPDX-License-Identifier: Apache-2.0
#include "country_file.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <stdexcept>

namespace sonde::test {
namespace {

constexpr std::size_t empty = SIZE_MAX;

// Control byte of the format: type and size; a type from 8 on has a byte of its own.
std::string control(unsigned type, std::size_t size) {
  if (type < 8) return std::string(1, static_cast<char>(type << 5 | size));
  return {static_cast<char>(size), static_cast<char>(type - 7)};
}
std::string text(const std::string& value) { return control(2, value.size()) + value; }
std::string number(unsigned type, std::uint64_t value, std::size_t size) {
  std::string bytes = control(type, size);
  for (std::size_t i = size; i-- > 0;) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}
std::string map(std::size_t size) { return control(7, size); }

struct Node {
  std::array<std::size_t, 2> next{empty, empty};  ///< a node
  std::array<std::string, 2> code;                ///< or a country
};

void insert(std::vector<Node>& nodes, const CountryNetwork& network) {
  in_addr address{};
  if (::inet_pton(AF_INET, network.address.c_str(), &address) != 1) throw std::runtime_error(network.address);
  const std::uint32_t bits = ntohl(address.s_addr);
  std::size_t node = 0;
  for (int depth = 0; depth < network.length; ++depth) {
    const auto bit = bits >> (31 - depth) & 1;
    if (depth == network.length - 1) {
      nodes[node].code[bit] = network.code;
      return;
    }
    if (nodes[node].next[bit] == empty) {
      nodes[node].next[bit] = nodes.size();
      nodes.emplace_back();
    }
    node = nodes[node].next[bit];
  }
}

}  // namespace

CountryFileOnDisk::CountryFileOnDisk(const std::vector<CountryNetwork>& networks) {
  std::vector<Node> nodes(1);
  for (const auto& network : networks) insert(nodes, network);
  std::string tree, data;
  for (const auto& node : nodes)
    for (std::size_t bit = 0; bit < 2; ++bit) {
      std::uint64_t record = nodes.size();  // nothing there
      if (!node.code[bit].empty()) {
        record = nodes.size() + 16 + data.size();
        data += map(1) + text("country") + map(1) + text("iso_code") + text(node.code[bit]);
      } else if (node.next[bit] != empty) {
        record = node.next[bit];
      }
      for (int shift = 16; shift >= 0; shift -= 8) tree += static_cast<char>(record >> shift);
    }
  std::string meta = "\xab\xcd\xefMaxMind.com";
  meta += map(9) + text("node_count") + number(6, nodes.size(), 4) + text("record_size") + number(5, 24, 2);
  meta += text("ip_version") + number(5, 4, 2) + text("database_type") + text("Test-Country");
  meta += text("languages") + control(11, 0) + text("binary_format_major_version") + number(5, 2, 2);
  meta += text("binary_format_minor_version") + number(5, 0, 2) + text("build_epoch") + number(9, 1'700'000'000, 8);
  meta += text("description") + map(0);
  file_.write(tree + std::string(16, '\0') + data + meta);
}

}  // namespace sonde::test
