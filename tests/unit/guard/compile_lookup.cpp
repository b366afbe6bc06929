// SPDX-License-Identifier: Apache-2.0
#include "compile_lookup.hpp"

#include <cstring>
#include <stdexcept>

#include "actuators/guard/guard.abi.h"
#include "sonde/endpoint.hpp"

namespace sonde::test {
namespace {

class Tables {
 public:
  explicit Tables(const guard::Blob& blob) : bytes_(blob.bytes) { header_ = at<sonde_guard_header>(0, 0); }

  template <class T>
  [[nodiscard]] T at(std::uint32_t element, std::size_t number) const {
    const auto offset = std::size_t{element} * SONDE_GUARD_ELEMENT_SIZE + number * sizeof(T);
    if (offset + sizeof(T) > bytes_.size()) throw std::out_of_range("behind the end of the rule set");
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(value));
    return value;
  }

  [[nodiscard]] const sonde_guard_header& header() const { return header_; }

  [[nodiscard]] std::uint32_t find_ipv4(std::uint32_t address) const {
    if (header_.index4 == 0) return 0;
    if (header_.filter4 != 0) {
      const auto place = SONDE_GUARD_FILTER4_HASH(address >> 8, header_.filter4_bits);
      if ((at<std::uint32_t>(header_.filter4, place / 32) >> place % 32 & 1) == 0) return 0;
    }
    const auto reference = at<std::uint32_t>(header_.index4, address >> 16);
    const auto others = reference & ~std::uint32_t{SONDE_GUARD_BLOCKS_DIFFER};
    return others == reference ? reference : find_block(address, others);
  }

  [[nodiscard]] std::uint32_t find_ipv6(std::uint64_t upper, std::uint64_t lower) const {
    auto reference = header_.root6;
    for (const auto key : {upper, lower})
      if (reference >> SONDE_GUARD_KIND_SHIFT == SONDE_GUARD_KIND_NODE) reference = descend(reference, key);
    return reference;
  }

  [[nodiscard]] std::vector<std::uint32_t> rules(std::uint32_t reference) const {
    switch (reference >> SONDE_GUARD_KIND_SHIFT) {
      case SONDE_GUARD_KIND_NONE: return {};
      case SONDE_GUARD_KIND_RULE: return {reference & SONDE_GUARD_RULE_MASK};
      case SONDE_GUARD_KIND_LIST: return list(reference & SONDE_GUARD_LIST_MASK);
      default: throw std::logic_error("a node is left");
    }
  }

 private:
  [[nodiscard]] std::uint32_t find_block(std::uint32_t address, std::uint32_t others) const {
    const auto hash = SONDE_GUARD_BUCKET4_HASH(address >> 8);
    const auto home = hash >> (24 - header_.bucket4_bits);
    const auto tag = hash & ((1U << (24 - header_.bucket4_bits)) - 1);
    for (std::uint32_t probe = 0; probe < SONDE_GUARD_BUCKET4_PROBES; ++probe) {
      const auto bucket =
          at<sonde_guard_bucket4>(header_.buckets4, (home + probe) & ((1U << header_.bucket4_bits) - 1));
      for (std::size_t slot = 0; slot < SONDE_GUARD_BUCKET4_BLOCKS; ++slot) {
        if (bucket.tags[slot] != (tag | probe << SONDE_GUARD_TAG_PROBE_SHIFT)) continue;
        const auto last = static_cast<std::uint8_t>(address);
        if (last < bucket.firsts[slot] || last > bucket.lasts[slot]) return others;
        const auto reference = bucket.references[slot];
        if (reference >> SONDE_GUARD_KIND_SHIFT != SONDE_GUARD_KIND_NODE) return reference;
        return find_in_node(reference, last);
      }
    }
    return others;
  }

  [[nodiscard]] std::uint32_t find_in_node(std::uint32_t reference, std::uint8_t last) const {
    const auto element = header_.nodes + (reference & SONDE_GUARD_NODE_MASK);
    if ((reference >> SONDE_GUARD_NODE_DEPTH_SHIFT & 7) != 0) return at<std::uint32_t>(element, last);
    return last_start(at<sonde_guard_leaf4>(element, 0), last);
  }

  template <class Leaf>
  [[nodiscard]] static std::uint32_t last_start(const Leaf& leaf, std::uint64_t key) {
    std::uint32_t reference = leaf.references[0];
    for (std::size_t i = 0; i < std::size(leaf.starts); ++i)
      if (leaf.starts[i] <= key) reference = leaf.references[i];
    return reference;
  }

  [[nodiscard]] std::uint32_t descend(std::uint32_t reference, std::uint64_t key) const {
    auto element = reference & SONDE_GUARD_NODE_MASK;
    for (auto depth = reference >> SONDE_GUARD_NODE_DEPTH_SHIFT & 7; depth > 0; --depth) {
      const auto inner = at<sonde_guard_inner6>(header_.nodes + element, 0);
      std::uint32_t child = 0;
      for (std::uint32_t i = 0; i < inner.keys; ++i)
        if (inner.starts[i] <= key) child = i;
      element = inner.children + child;
    }
    return last_start(at<sonde_guard_leaf6>(header_.nodes + element, 0), key);
  }

  [[nodiscard]] std::vector<std::uint32_t> list(std::uint32_t first) const {
    std::vector<std::uint32_t> rules;
    const auto count = at<std::uint32_t>(header_.lists, first);
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto word = at<std::uint32_t>(header_.lists, first + SONDE_GUARD_LIST_HEAD + i);
      const auto number = word & SONDE_GUARD_WORD_MASK;
      rules.push_back((word & SONDE_GUARD_WORD_RULE) != 0 ? number
                                                          : at<sonde_guard_record>(header_.records, number).rule);
    }
    return rules;
  }

  const std::vector<std::uint8_t>& bytes_;
  sonde_guard_header header_{};
};

std::uint64_t big64(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

std::vector<std::uint32_t> rules_of_address(const guard::Blob& blob, const std::array<std::uint8_t, 16>& address) {
  const Tables tables(blob);
  if (Endpoint{address, 0}.is_ipv4())
    return tables.rules(tables.find_ipv4(static_cast<std::uint32_t>(big64(&address[8]))));
  return tables.rules(tables.find_ipv6(big64(address.data()), big64(&address[8])));
}

std::vector<std::uint32_t> rules_of_any(const guard::Blob& blob) {
  const Tables tables(blob);
  return tables.rules(tables.header().any);
}

}  // namespace sonde::test
