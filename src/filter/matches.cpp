// SPDX-License-Identifier: Apache-2.0
#include <match.h>
#include <pcap/pcap.h>

#include "filter/filter.hpp"

namespace sonde::filter {
namespace {

static_assert(sizeof(bpf_insn) == sizeof(sock_filter) && offsetof(bpf_insn, k) == offsetof(sock_filter, k));

bool expression_matches(const std::vector<sock_filter>& program, const sonde_packet_event& event,
                        std::span<const std::uint8_t> bytes) {
  if (program.empty()) return false;
  const auto* insns = reinterpret_cast<const bpf_insn*>(program.data());
  return bpf_filter(insns, bytes.data(), event.packet_size, static_cast<u_int>(bytes.size())) != 0;
}

}  // namespace

bool matches(const CompiledFilter& filter, const sonde_packet_event& event, std::span<const std::uint8_t> bytes) {
  if (!sonde_filter_matches(filter.fields.get(), &event)) return false;
  if (!filter.has_expression) return true;
  const bool raw_ip = (event.flags & SONDE_PACKET_NO_LINK_HEADER) != 0;
  return expression_matches(raw_ip ? filter.raw_ip : filter.ethernet, event, bytes);
}

bool has_field_tests(const sonde_filter& fields) {
  return fields.tests != 0 || fields.source.count + fields.destination.count + fields.either.count > 0;
}

}  // namespace sonde::filter
