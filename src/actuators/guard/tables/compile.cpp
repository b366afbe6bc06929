// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/compile.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "actuators/guard/tables/blocks.hpp"
#include "actuators/guard/tables/lists.hpp"
#include "actuators/guard/tables/ranges.hpp"
#include "actuators/guard/tables/records.hpp"
#include "actuators/guard/tables/trees.hpp"

namespace sonde::guard {
namespace {

constexpr std::size_t most_list_words = std::size_t{1} << 27;  // 512 MiB
constexpr std::uint8_t ipv4_prefix_bits = 96;
constexpr std::uint32_t nothing_first = 255;

std::uint32_t elements_for(std::size_t bytes) {
  return static_cast<std::uint32_t>((bytes + SONDE_GUARD_ELEMENT_SIZE - 1) / SONDE_GUARD_ELEMENT_SIZE);
}

Address6 as_integer(const std::array<std::uint8_t, 16>& address) {
  Address6 value = 0;
  for (const auto byte : address) value = value << 8 | byte;
  return value;
}

std::unexpected<Error> refuse(const GuardRule& rule, const std::string& reason) {
  return fail(ErrorKind::usage, "rule " + std::to_string(rule.id) + ": " + reason);
}

Result<void> check(const GuardRule& rule) {
  if (rule.network.length > 128) return refuse(rule, "a network has 128 bits at most");
  const auto bits = 128 - rule.network.length;
  const auto address = as_integer(rule.network.address);
  if (bits > 0 && (bits == 128 ? address != 0 : (address & ((Address6{1} << bits) - 1)) != 0))
    return refuse(rule, "the network's address has bits behind its length");
  if (rule.verdict == GuardVerdict::limit && rule.rate == 0) return refuse(rule, "a limit needs a rate");
  if (rule.verdict > GuardVerdict::default_drop) return refuse(rule, "no such verdict");
  return {};
}

Result<void> check(std::span<const GuardRule> rules) {
  if (rules.size() >= SONDE_GUARD_MAX_RULES)
    return fail(ErrorKind::usage, std::to_string(rules.size()) + " rules: the guard holds fewer than " +
                                      std::to_string(SONDE_GUARD_MAX_RULES));
  for (const auto& rule : rules)
    if (auto done = check(rule); !done) return done;
  return {};
}

/// Rules by where they are looked for.
struct Sorted {
  std::vector<Prefix<Address4>> ipv4;
  std::vector<Prefix<Address6>> ipv6;
  std::vector<std::uint32_t> any;  ///< in the order in which they are asked
};

Sorted sort_out(std::span<const GuardRule> rules, std::span<const RuleFacts> facts) {
  Sorted sorted;
  for (std::uint32_t number = 0; number < rules.size(); ++number) {
    const auto& network = rules[number].network;
    if (facts[number].over) continue;
    if (covers_family(network)) {
      sorted.any.push_back(number);
    } else if (is_ipv4(network)) {
      sorted.ipv4.push_back({static_cast<Address4>(as_integer(network.address)),
                             static_cast<std::uint8_t>(network.length - ipv4_prefix_bits), facts[number].verdict,
                             number});
    } else {
      sorted.ipv6.push_back({as_integer(network.address), network.length, facts[number].verdict, number});
    }
  }
  std::ranges::stable_sort(sorted.any, [&](std::uint32_t a, std::uint32_t b) {
    if (facts[a].verdict != facts[b].verdict) return facts[a].verdict < facts[b].verdict;
    return rules[a].network.length > rules[b].network.length;
  });
  return sorted;
}

class Compiler {
 public:
  Compiler(std::span<const GuardRule> rules, std::string_view source, const CompileOptions& options)
      : rules_(rules),
        source_(source),
        options_(options),
        facts_(rule_facts(rules, options.wall_now_ns)),
        lists_(facts_) {}

  Result<Blob> run() {
    if (auto done = build(); !done) return std::unexpected(done.error());
    place();
    return write();
  }

 private:
  Result<void> build() {
    auto sorted = sort_out(rules_, facts_);
    Flattening<Address4> ipv4(lists_);
    Flattening<Address6> ipv6(lists_);
    if (!ipv4.run(sorted.ipv4, most_list_words) || !ipv6.run(sorted.ipv6, most_list_words))
      return fail(ErrorKind::usage, "the rules with conditions overlap so much that their lists take more than 512 MiB",
                  "put conditions that many nested networks share on \"any\"");
    if (!sorted.ipv4.empty()) {
      blocks_ = add_ipv4(ipv4.ranges(), nodes_);
      filter_ = make_filter(ipv4.ranges());
    }
    if (!sorted.ipv6.empty()) header_.root6 = add_ipv6(ipv6.ranges(), nodes_);
    header_.any_first = sorted.any.empty() ? nothing_first : facts_[sorted.any.front()].verdict;
    header_.any = lists_.reference(sorted.any, true);
    if (header_.any != no_rule) header_.any_needs = lists_.words()[(header_.any & SONDE_GUARD_LIST_MASK) + 1];
    if (lists_.longest() > SONDE_GUARD_MAX_LIST)
      return fail(ErrorKind::usage, std::to_string(lists_.longest()) + " rules concern the same address: the guard " +
                                        "asks at most " + std::to_string(SONDE_GUARD_MAX_LIST));
    return {};
  }

  std::uint32_t place_section(std::size_t bytes) {
    const auto first = header_.elements;
    header_.elements += elements_for(bytes);
    return first;
  }

  void place() {
    header_.magic = SONDE_GUARD_MAGIC;
    header_.version = SONDE_GUARD_VERSION;
    header_.generation = options_.generation;
    header_.created_wall_ns = static_cast<std::uint64_t>(options_.wall_now_ns);
    header_.rules = static_cast<std::uint32_t>(rules_.size());
    header_.elements = 1;
    if (!blocks_.index.empty()) place_ipv4();
    header_.nodes = place_section(nodes_.elements().size() * sizeof(Element));
    header_.list_words = static_cast<std::uint32_t>(lists_.words().size());
    header_.lists = place_section(lists_.words().size() * sizeof(std::uint32_t));
    header_.record_count = static_cast<std::uint32_t>(lists_.records().rules().size());
    header_.records = place_section(header_.record_count * sizeof(sonde_guard_record));
    header_.ids = place_section(rules_.size() * sizeof(std::uint64_t));
    for (std::uint32_t rule = 0; rule < rules_.size(); ++rule)
      if (facts_[rule].verdict == SONDE_GUARD_LIMIT) limits_.push_back(rule);
    header_.limit_count = static_cast<std::uint32_t>(limits_.size());
    header_.limits = place_section(limits_.size() * sizeof(std::uint32_t));
    header_.source_size = source_.size();
    place_counters();
  }

  void place_ipv4() {
    header_.index4 = place_section(blocks_.index.size() * sizeof(Reference));
    if (!filter_.empty()) {
      header_.filter4_bits = static_cast<std::uint32_t>(std::bit_width(filter_.size() * 32) - 1);
      header_.filter4 = place_section(filter_.size() * sizeof(filter_[0]));
    }
    header_.bucket4_bits = static_cast<std::uint32_t>(std::bit_width(blocks_.buckets.size()) - 1);
    header_.buckets4 = place_section(blocks_.buckets.size() * sizeof(sonde_guard_bucket4));
  }

  // One more shard than the programs write: what user space carries over.
  void place_counters() {
    const auto shard_bytes = (rules_.size() + limits_.size()) * sizeof(sonde_guard_counter);
    header_.shard_elements = elements_for(shard_bytes);
    const auto wanted = static_cast<std::size_t>(std::max(1, options_.cpus));
    const auto affordable = std::max<std::size_t>(1, options_.counter_bytes / std::max<std::size_t>(1, shard_bytes));
    header_.shards = static_cast<std::uint32_t>(std::min(wanted, affordable));
    header_.shared_shards = header_.shards < wanted ? 1 : 0;
    header_.counters = header_.elements;
    header_.elements += header_.shard_elements * (header_.shards + 1);
    header_.source = place_section(source_.size());
  }

  Blob write() {
    Blob blob;
    blob.elements = header_.elements;
    blob.bytes.resize(std::size_t{header_.elements} * SONDE_GUARD_ELEMENT_SIZE);
    const auto put = [&](std::uint32_t element, const void* from, std::size_t bytes) {
      if (bytes > 0) std::memcpy(blob.bytes.data() + std::size_t{element} * SONDE_GUARD_ELEMENT_SIZE, from, bytes);
    };
    put(0, &header_, sizeof(header_));
    put(header_.index4, blocks_.index.data(), blocks_.index.size() * sizeof(Reference));
    put(header_.filter4, filter_.data(), filter_.size() * sizeof(filter_[0]));
    put(header_.buckets4, blocks_.buckets.data(), blocks_.buckets.size() * sizeof(sonde_guard_bucket4));
    put(header_.nodes, nodes_.elements().data(), nodes_.elements().size() * sizeof(Element));
    put(header_.lists, lists_.words().data(), lists_.words().size() * sizeof(std::uint32_t));
    const auto records = records_in_order();
    put(header_.records, records.data(), records.size() * sizeof(sonde_guard_record));
    std::vector<std::uint64_t> ids(rules_.size());
    std::ranges::transform(rules_, ids.begin(), &GuardRule::id);
    put(header_.ids, ids.data(), ids.size() * sizeof(std::uint64_t));
    put(header_.limits, limits_.data(), limits_.size() * sizeof(std::uint32_t));
    put(header_.source, source_.data(), source_.size());
    return blob;
  }

  std::vector<sonde_guard_record> records_in_order() {
    std::vector<sonde_guard_record> records;
    records.reserve(header_.record_count);
    for (const auto rule : lists_.records().rules()) {
      const auto limit = std::ranges::lower_bound(limits_, rule) - limits_.begin();
      records.push_back(make_record(rules_[rule], rule, header_.rules + static_cast<std::uint32_t>(limit), options_));
    }
    return records;
  }

  std::span<const GuardRule> rules_;
  std::string_view source_;
  const CompileOptions& options_;
  std::vector<RuleFacts> facts_;
  Lists lists_;
  Nodes nodes_;
  Blocks blocks_;
  std::vector<std::uint32_t> filter_;  ///< of IPv4
  std::vector<std::uint32_t> limits_;  ///< rules that are limits
  sonde_guard_header header_{};
};

}  // namespace

Result<Blob> compile(std::span<const GuardRule> rules, std::string_view source, const CompileOptions& options) {
  if (auto done = check(rules); !done) return std::unexpected(done.error());
  return Compiler(rules, source, options).run();
}

}  // namespace sonde::guard
