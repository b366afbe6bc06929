// SPDX-License-Identifier: Apache-2.0
#include "detect/flood/suspicion.hpp"

#include <netinet/in.h>

#include <algorithm>

#include "detect/address.hpp"
#include "detect/incident.hpp"
#include "detect/ports.hpp"

namespace sonde::detect {

namespace {

constexpr std::uint8_t syn = 2, rst = 4, ack = 16;
/// Answers are larger than questions; a question of DNS or NTP with its headers is not.
constexpr std::uint64_t least_reflected_bytes = 200;
/// A sender without answers that has been there for so long is usual: syslog, NetFlow, video.
constexpr std::int64_t regular_ns = 60 * second_ns;
/// Of flows of at most so many packets a flood has many; those of more are a socket that sends.
constexpr std::uint64_t thin_flow = 3;

std::uint64_t pair_of(const FlowSight& flow) {
  const auto a = hash_of(flow.endpoints[0].address), b = hash_of(flow.endpoints[1].address);
  return mix(a + b);
}

std::uint64_t directed(const FlowSight& flow) {
  return combine(hash_of(flow.endpoints[0].address), hash_of(flow.endpoints[1].address));
}

/// What was counted of it before, when the answer comes only now.
double before(const FlowSight& flow) {
  constexpr std::uint64_t most = 10;  // one late answer does not excuse a flood of one flow
  const auto sent = flow.total[0].packets, now = flow.delta[0].packets;
  return static_cast<double>(std::min(most, sent > now ? sent - now : 0));
}

}  // namespace

bool Suspicions::are_friends(const FlowSight& flow) const { return friends_.contains(pair_of(flow)); }
void Suspicions::make_friends(const FlowSight& flow) { friends_.add(pair_of(flow)); }

std::optional<Suspicion> Suspicions::of_tcp(const FlowSight& flow) {
  const auto ours = flow.tcp_flags[0], theirs = flow.tcp_flags[1];
  if (!(ours & syn)) return std::nullopt;
  if (ours & ack) {
    if (theirs & syn) make_friends(flow);
    // One SYN was all there was when it was shown before.
    if (!flow.is_new && flow.total[0].packets == flow.delta[0].packets + 1)
      return Suspicion{.kind = FloodKind::syn, .packets = -1};
    return std::nullopt;
  }
  // A service that is down refuses its own clients too, so what is refused has to come much faster to be a flood.
  const bool refused = theirs & rst && !(theirs & syn);
  return Suspicion{.kind = FloodKind::syn,
                   .packets = static_cast<double>(flow.delta[0].packets),
                   .bytes = flow.delta[0].bytes,
                   .silent = theirs == 0,
                   .excused = refused || flow.unreachable || are_friends(flow)};
}

bool Suspicions::is_regular(const FlowSight& flow, bool is_attacked) {
  const auto pair = directed(flow);
  auto& entry = regulars_[pair % regulars_.size()];
  if (entry.pair != pair) entry = {pair, flow.wall_ns, false};
  if (!is_attacked && flow.wall_ns - entry.first_ns >= regular_ns) entry.regular = true;
  return entry.regular;
}

std::optional<Suspicion> Suspicions::of_udp(const FlowSight& flow, bool is_attacked) {
  if (flow.total[1].packets > 0) {
    make_friends(flow);
    const bool first_answer = flow.total[1].packets == flow.delta[1].packets;
    if (!first_answer || flow.is_new) return std::nullopt;
    return Suspicion{.kind = FloodKind::udp, .packets = -before(flow)};
  }
  if (flow.delta[0].packets == 0 || are_friends(flow)) return std::nullopt;
  Suspicion found{
      .kind = FloodKind::udp, .packets = static_cast<double>(flow.delta[0].packets), .bytes = flow.delta[0].bytes};
  const bool fragments = flow.endpoints[0].port == 0 && flow.endpoints[1].port == 0;
  const bool large = flow.delta[0].bytes >= least_reflected_bytes * flow.delta[0].packets;
  if (large && is_reflector_port(flow.endpoints[0].port)) {
    reflectors_.add(directed(flow));
    found.kind = FloodKind::reflection;
  } else if (fragments && reflectors_.contains(directed(flow))) {
    found.kind = FloodKind::reflection;
  } else if (flow.total[0].packets > thin_flow && !fragments) {
    if (is_regular(flow, is_attacked)) return std::nullopt;
    if (!flow.unreachable) found.packets /= 2;
  }
  return found;
}

std::optional<Suspicion> Suspicions::of_icmp(const FlowSight& flow) {
  // An echo reply that nobody asked for goes to the opener.
  const std::size_t sender = flow.total[0].packets == 0 ? 1 : 0;
  if (flow.delta[sender].packets == 0) return std::nullopt;
  return Suspicion{.kind = FloodKind::icmp,
                   .target = 1 - sender,
                   .packets = static_cast<double>(flow.delta[sender].packets),
                   .bytes = flow.delta[sender].bytes};
}

std::optional<Suspicion> Suspicions::of(const FlowSight& flow, bool is_attacked) {
  if (!is_one_host(flow.endpoints[0].address) || !is_one_host(flow.endpoints[1].address)) return std::nullopt;
  switch (flow.protocol) {
    case IPPROTO_TCP: return of_tcp(flow);
    case IPPROTO_UDP: return of_udp(flow, is_attacked);
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6: return of_icmp(flow);
    default: return std::nullopt;
  }
}

}  // namespace sonde::detect
