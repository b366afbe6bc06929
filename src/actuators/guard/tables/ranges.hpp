// SPDX-License-Identifier: Apache-2.0
// Nested networks, flattened to disjoint ranges that cover every address.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "actuators/guard/tables/lists.hpp"

namespace sonde::guard {

/// std::numeric_limits knows it in GNU mode only.
__extension__ using Address6 = unsigned __int128;
using Address4 = std::uint32_t;

/// A rule's network, with its address as an integer of its family.
template <class Address>
struct Prefix {
  Address first;
  std::uint8_t length;  ///< within the family: 32 is one IPv4 address
  std::uint8_t verdict;
  std::uint32_t rule;
};

/// From `first` to the next range's.
template <class Address>
struct Range {
  Address first;
  Reference reference;
};

/// Walks the networks from the lowest address on, the outer before the inner, with those that hold the address at hand
/// on a stack.
template <class Address>
class Flattening {
 public:
  static constexpr unsigned bits = sizeof(Address) * 8;

  explicit Flattening(Lists& lists) : lists_(lists), stack_(bits + 1) {}

  /// `prefixes` come back sorted. False: the lists have outgrown `most_words`.
  bool run(std::vector<Prefix<Address>>& prefixes, std::size_t most_words) {
    std::ranges::sort(prefixes, [](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first < b.first;
      if (a.length != b.length) return a.length < b.length;
      if (a.verdict != b.verdict) return a.verdict < b.verdict;
      return a.rule < b.rule;
    });
    ranges_.reserve(prefixes.size() * 2 + 1);
    emit(0, no_rule);
    for (auto at = prefixes.begin(); at != prefixes.end() && lists_.words().size() <= most_words;) {
      const auto& network = *at;
      own_.clear();
      for (; at != prefixes.end() && at->first == network.first && at->length == network.length; ++at)
        own_.push_back(at->rule);
      leave_before(network.first);
      enter(network);
    }
    while (depth_ > 0) leave();
    return lists_.words().size() <= most_words;
  }

  [[nodiscard]] const std::vector<Range<Address>>& ranges() const { return ranges_; }

 private:
  struct Level {
    Address last = 0;
    Reference reference = no_rule;
    std::vector<std::uint32_t> rules;
  };

  void enter(const Prefix<Address>& network) {
    auto& level = stack_[depth_ + 1];
    const auto& outer = stack_[depth_];
    level.last = network.first | host_bits(network.length);
    lists_.merge(own_, outer.rules, level.rules);
    level.reference = lists_.reference(level.rules);
    ++depth_;
    emit(network.first, level.reference);
  }

  void leave() {
    const auto last = stack_[depth_].last;
    --depth_;
    if (last != static_cast<Address>(-1)) emit(last + 1, stack_[depth_].reference);
  }

  void leave_before(Address first) {
    while (depth_ > 0 && stack_[depth_].last < first) leave();
  }

  // What starts where another range has just started takes its place; what goes on as before is no new range.
  void emit(Address first, Reference reference) {
    if (!ranges_.empty() && ranges_.back().first == first) ranges_.pop_back();
    if (ranges_.empty() || ranges_.back().reference != reference) ranges_.push_back({first, reference});
  }

  static Address host_bits(std::uint8_t length) {
    return length == 0 ? static_cast<Address>(-1) : length == bits ? 0 : (Address{1} << (bits - length)) - 1;
  }

  Lists& lists_;
  std::vector<Level> stack_;  ///< [0]: no network
  std::size_t depth_ = 0;
  std::vector<std::uint32_t> own_;
  std::vector<Range<Address>> ranges_;
};

}  // namespace sonde::guard
