// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/reasons.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace sonde::drops {
namespace {

struct Known {
  std::string_view name;
  std::uint8_t traits;
  TupleTrust trust = TupleTrust::full;
};

// include/net/dropreason-core.h. Where the reason does not tell the direction, the packet does.
constexpr Known known_reasons[] = {
    {"SKB_NOT_DROPPED_YET", SONDE_REASON_NORMAL},
    {"SKB_CONSUMED", SONDE_REASON_NORMAL},
    {"NO_SOCKET", SONDE_REASON_RECEIVED, TupleTrust::none},
    {"UDP_CSUM", SONDE_REASON_RECEIVED, TupleTrust::connected_only},
    {"TCP_CSUM", SONDE_REASON_RECEIVED, TupleTrust::connected_only},
    {"IP_CSUM", SONDE_REASON_RECEIVED, TupleTrust::none},
    {"IP_INHDR", 0, TupleTrust::none},
    {"PKT_TOO_SMALL", 0, TupleTrust::none},
    {"HDR_TRUNC", 0, TupleTrust::none},
    {"SKB_CSUM", 0, TupleTrust::connected_only},
    {"OTHERHOST", SONDE_REASON_RECEIVED, TupleTrust::none},
    {"IP_RPFILTER", SONDE_REASON_RECEIVED},
    {"IP_INNOROUTES", SONDE_REASON_RECEIVED},
    {"IP_LOCAL_SOURCE", SONDE_REASON_RECEIVED},
    {"IP_INVALID_SOURCE", SONDE_REASON_RECEIVED},
    {"UNHANDLED_PROTO", SONDE_REASON_RECEIVED},
    {"CPU_BACKLOG", SONDE_REASON_RECEIVED},
    {"XDP", SONDE_REASON_RECEIVED},
    {"TC_INGRESS", SONDE_REASON_RECEIVED},
    {"SOCKET_RCVBUFF", SONDE_REASON_RECEIVED},
    {"SOCKET_BACKLOG", SONDE_REASON_RECEIVED},
    {"SOCKET_FILTER", SONDE_REASON_RECEIVED},
    {"TCP_LISTEN_OVERFLOW", SONDE_REASON_RECEIVED},
    {"TC_EGRESS", SONDE_REASON_SENT},
    {"QDISC_DROP", SONDE_REASON_SENT},
    {"QDISC_OVERLIMIT", SONDE_REASON_SENT},
    {"QDISC_CONGESTED", SONDE_REASON_SENT},
    {"FQ_BAND_LIMIT", SONDE_REASON_SENT},
    {"FQ_HORIZON_LIMIT", SONDE_REASON_SENT},
    {"FQ_FLOW_LIMIT", SONDE_REASON_SENT},
    {"CAKE_FLOOD", SONDE_REASON_SENT},
    {"BPF_CGROUP_EGRESS", SONDE_REASON_SENT},
    {"IP_OUTNOROUTES", SONDE_REASON_SENT},
    {"NEIGH_CREATEFAIL", SONDE_REASON_SENT},
    {"NEIGH_FAILED", SONDE_REASON_SENT},
    {"NEIGH_QUEUEFULL", SONDE_REASON_SENT},
    {"NEIGH_DEAD", SONDE_REASON_SENT},
    {"NEIGH_HH_FILLFAIL", SONDE_REASON_SENT},
};

const Known* find(std::string_view name) {
  const auto* const found = std::ranges::find(known_reasons, name, &Known::name);
  return found == std::end(known_reasons) ? nullptr : found;
}

}  // namespace

ReasonTraits reason_traits(const ReasonNames& names) {
  ReasonTraits traits{};
  for (const auto& [number, name] : names)
    if (const auto* known = find(name); known != nullptr && number < traits.size()) traits[number] = known->traits;
  return traits;
}

std::string reason_name(const ReasonNames& names, std::uint32_t reason) {
  constexpr std::uint32_t first_of_subsystems = 0x10000;  // SKB_DROP_REASON_SUBSYS_SHIFT, Linux 6.4
  if (reason >= first_of_subsystems) return fmt::format("SUBSYS({:#x})", reason);
  const auto found = names.find(reason);
  return found == names.end() ? fmt::format("REASON_{}", reason) : found->second;
}

TupleTrust tuple_trust(const std::string& reason) {
  const auto* known = find(reason);
  return known == nullptr ? TupleTrust::full : known->trust;
}

}  // namespace sonde::drops
