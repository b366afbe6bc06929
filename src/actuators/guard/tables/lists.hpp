// SPDX-License-Identifier: Apache-2.0
// Rules that concern the same addresses, as references: one rule alone, or a list that is kept once however many
// networks have it.
#pragma once
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "actuators/guard/tables/facts.hpp"
#include "actuators/guard/tables/references.hpp"

namespace sonde::guard {

/// Number of the record of a rule that is not plain: rules get them in the order in which they are first needed.
class RecordNumbers {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  explicit RecordNumbers(std::size_t rules) : by_rule_(rules, none) {}
  [[nodiscard]] std::uint32_t of(std::uint32_t rule);
  /// Rules, in the order of their records.
  [[nodiscard]] const std::vector<std::uint32_t>& rules() const { return rules_; }

 private:
  std::vector<std::uint32_t> by_rule_;
  std::vector<std::uint32_t> rules_;
};

class Lists {
 public:
  explicit Lists(std::span<const RuleFacts> facts);

  /// What is asked for addresses with rules of their own (sorted by verdict, then number) within a network whose rules
  /// are `outer` (sorted as they are asked): both, merged, up to where nothing further can be reached.
  void merge(std::span<const std::uint32_t> own, std::span<const std::uint32_t> outer,
             std::vector<std::uint32_t>& merged) const;

  /// The reference to rules as merge() gives them. Lists always: also where a lone plain rule would do without.
  [[nodiscard]] Reference reference(std::span<const std::uint32_t> rules, bool always_list = false);

  [[nodiscard]] const std::vector<std::uint32_t>& words() const { return words_; }
  [[nodiscard]] const RecordNumbers& records() const { return records_; }
  [[nodiscard]] std::size_t longest() const { return longest_; }

 private:
  [[nodiscard]] std::uint32_t intern();

  std::span<const RuleFacts> facts_;
  std::uint8_t directions_ = 0;  ///< that any rule is for
  RecordNumbers records_;
  std::vector<std::uint32_t> words_;
  std::vector<std::uint32_t> list_;                               ///< being made
  std::unordered_multimap<std::uint64_t, std::uint32_t> places_;  ///< first word, by hash
  std::size_t longest_ = 0;
};

}  // namespace sonde::guard
