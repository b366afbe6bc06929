// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/records.hpp"

#include <algorithm>

namespace sonde::guard {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
// A packet of 2^20 bytes at 2^40 stays within 64 bits.
constexpr std::uint64_t most_cost = std::uint64_t{1} << 40;
constexpr std::uint8_t most_shift = 30;
constexpr std::uint64_t most_capacity_ns = std::uint64_t{1} << 62;

std::uint64_t monotonic_ns(std::int64_t wall_ns, const CompileOptions& options) {
  if (wall_ns == 0) return 0;
  const auto monotonic = wall_ns - options.wall_now_ns + options.monotonic_now_ns;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, monotonic));
}

void set_rate(const GuardRule& rule, sonde_guard_record& record) {
  auto scale = second_ns / rule.rate;
  __extension__ using Wide = unsigned __int128;
  for (; record.cost_shift < most_shift; ++record.cost_shift) {
    const auto finer = (Wide{second_ns} << (record.cost_shift + 1)) / rule.rate;
    if (finer > most_cost) break;
    scale = static_cast<std::uint64_t>(finer);
  }
  record.cost_scale = std::min(scale, most_cost);
  const auto burst = rule.burst == 0 ? rule.rate : rule.burst;
  record.capacity_ns =
      static_cast<std::uint64_t>(std::min<Wide>(Wide{burst} * second_ns / rule.rate, Wide{most_capacity_ns}));
  if (rule.rate_in_bytes) record.flags |= SONDE_GUARD_RECORD_RATE_IN_BYTES;
}

}  // namespace

sonde_guard_record make_record(const GuardRule& rule, std::uint32_t number, std::uint32_t limited_counter,
                               const CompileOptions& options) {
  sonde_guard_record record{};
  record.id = rule.id;
  record.rule = number;
  record.verdict = static_cast<std::uint8_t>(rule.verdict);
  record.directions = direction_bits(rule.direction);
  record.families = families(rule.network);
  record.expires_ns = monotonic_ns(rule.expires_wall_ns, options);
  if (rule.protocol) {
    record.flags |= SONDE_GUARD_RECORD_PROTOCOL;
    record.protocol = *rule.protocol;
  }
  if (!rule.source_ports.any() || !rule.destination_ports.any()) record.flags |= SONDE_GUARD_RECORD_PORTS;
  record.source_port_first = rule.source_ports.first;
  record.source_port_last = rule.source_ports.last;
  record.destination_port_first = rule.destination_ports.first;
  record.destination_port_last = rule.destination_ports.last;
  if (rule.dry_run) record.flags |= SONDE_GUARD_RECORD_DRY_RUN;
  if (!rule.interface.empty()) {
    const auto index = options.ifindex ? options.ifindex(rule.interface) : 0;
    record.ifindex = index != 0 ? index : UINT32_MAX;
  }
  if (rule.verdict == GuardVerdict::limit) {
    record.limited_counter = limited_counter;
    set_rate(rule, record);
  }
  return record;
}

}  // namespace sonde::guard
