// SPDX-License-Identifier: Apache-2.0
#include "flow_model.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <list>
#include <unordered_map>

namespace sonde::corpus {

namespace {

using detect::Count;
using detect::FlowSight;

constexpr std::int64_t collection_ns = 500'000'000;
constexpr std::int64_t idle_ns = 60'000'000'000;

struct Key {
  Endpoint low, high;
  std::uint8_t protocol = 0;
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return detect::combine(detect::combine(detect::hash_of(key.low), detect::hash_of(key.high)), key.protocol);
  }
};

struct State {
  FlowSight sight;
  bool shown = false;
  bool changed = false;
};

Key key_of(const Endpoint& a, const Endpoint& b, std::uint8_t protocol) {
  return a < b ? Key{a, b, protocol} : Key{b, a, protocol};
}

class FlowModel {
 public:
  FlowModel(const Traffic& traffic, const SecurityConfig& config) : traffic_(traffic), detectors_(config) {}

  std::vector<SecurityEvent> run() {
    if (traffic_.packets.empty()) return {};
    std::int64_t next = traffic_.packets.front().wall_ns + collection_ns;
    for (const auto& packet : traffic_.packets) {
      for (; packet.wall_ns >= next; next += collection_ns) collect(next, false);
      take(packet);
    }
    collect(next, true);
    detectors_.finish(next, report_);
    return std::move(events_);
  }

 private:
  void take(const Packet& packet) {
    if (packet.protocol == 0) return take_arp(packet);
    if (packet.quotes) {
      const auto found = flows_.find(key_of(packet.source, packet.destination, packet.quoted_protocol));
      if (found != flows_.end()) found->second->sight.unreachable = true;
      auto error = packet;
      error.source = {packet.reporter, 0};
      error.destination = {packet.source.address, 0};
      error.protocol = IPPROTO_ICMP;
      return count(error);
    }
    count(packet);
    if (packet.extra >= 0) take_dns(packet);
  }

  void count(const Packet& packet) {
    auto& state = flow_of(packet);
    auto& sight = state.sight;
    const std::size_t side = sight.endpoints[0] == packet.source ? 0 : 1;
    sight.wall_ns = packet.wall_ns;
    for (auto* counted : {&sight.delta[side], &sight.total[side]}) {
      counted->packets += packet.count;
      counted->bytes += std::uint64_t{packet.bytes} * packet.count;
    }
    sight.tcp_flags[side] |= packet.flags;
    sight.hop_limit[side] = packet.hop_limit;
    if (!sight.owner) sight.owner = owner_of(packet);
    if (!state.changed) changed_.push_back(&state);
    state.changed = true;
  }

  State& flow_of(const Packet& packet) {
    const auto key = key_of(packet.source, packet.destination, packet.protocol);
    auto& slot = flows_[key];
    const bool starts = packet.protocol == IPPROTO_TCP && packet.flags & SYN;
    if (!slot) {
      states_.emplace_back();
      slot = &states_.back();
      slot->sight = start(packet);
    } else if (starts && !slot->sight.start_seen) {
      set_opener(slot->sight, packet);
    }
    slot->sight.start_seen |= starts;
    return *slot;
  }

  static bool from_opener(const Packet& packet) {
    const bool syn_ack = packet.protocol == IPPROTO_TCP && (packet.flags & (SYN | ACK)) == (SYN | ACK);
    return !syn_ack && !packet.echo_reply;
  }

  FlowSight start(const Packet& packet) {
    FlowSight sight;
    sight.id = ++last_id_;
    sight.first_wall_ns = packet.wall_ns;
    sight.protocol = packet.protocol;
    sight.endpoints = {packet.source, packet.destination};
    if (!from_opener(packet)) std::swap(sight.endpoints[0], sight.endpoints[1]);
    sight.interface = "eth0";
    return sight;
  }

  static void set_opener(FlowSight& sight, const Packet& packet) {
    const auto& opener = from_opener(packet) ? packet.source : packet.destination;
    if (sight.endpoints[0] == opener) return;
    for (auto* pair : {&sight.delta, &sight.total}) std::swap((*pair)[0], (*pair)[1]);
    std::swap(sight.endpoints[0], sight.endpoints[1]);
    std::swap(sight.tcp_flags[0], sight.tcp_flags[1]);
    std::swap(sight.hop_limit[0], sight.hop_limit[1]);
  }

  void take_arp(const Packet& packet) {
    const auto& arp = traffic_.arps[static_cast<std::size_t>(packet.extra)];
    detectors_.observe(detect::ArpSight{.wall_ns = packet.wall_ns,
                                        .reply = arp.reply,
                                        .sender_mac = arp.sender_mac,
                                        .frame_source = arp.frame_source,
                                        .sender_address = arp.sender,
                                        .target_address = arp.target,
                                        .interface = "eth0"},
                       report_);
  }

  void take_dns(const Packet& packet) {
    const auto& dns = traffic_.dns[static_cast<std::size_t>(packet.extra)];
    const auto& client = dns.response ? packet.destination : packet.source;
    detectors_.observe(detect::DnsSight{.wall_ns = packet.wall_ns,
                                        .client = client,
                                        .server = dns.response ? packet.source : packet.destination,
                                        .name = dns.name,
                                        .type = dns.type,
                                        .response = dns.response,
                                        .response_code = dns.response_code,
                                        .answer_bytes = dns.response ? packet.bytes - 42 : 0,
                                        .owner = owner_of(packet)},
                       report_);
  }

  bool is_local(const Address& address) const {
    return std::ranges::find(traffic_.locals, address) != traffic_.locals.end();
  }

  const SocketOwner* owner_of(const Packet& packet) const {
    return packet.owner < 0 ? nullptr : traffic_.owners[static_cast<std::size_t>(packet.owner)].get();
  }

  void show(State& state, FlowEnd end) {
    auto& sight = state.sight;
    sight.is_new = !state.shown;
    sight.end = end;
    for (std::size_t side = 0; side < 2; ++side) sight.local[side] = is_local(sight.endpoints[side].address);
    if (!sight.local[0]) sight.owner = nullptr;
    const auto country = traffic_.countries.find(sight.endpoints[sight.local[0] ? 1 : 0].address);
    if (country != traffic_.countries.end()) sight.country = country->second;
    detectors_.observe(sight, report_);
    state.shown = true;
    state.changed = false;
    sight.delta = {};
  }

  void collect(std::int64_t now_ns, bool last) {
    for (auto* state : changed_) {
      const auto& flags = state->sight.tcp_flags;
      const bool reset = (flags[0] | flags[1]) & RST;
      const bool closed = flags[0] & flags[1] & FIN;
      show(*state, reset ? FlowEnd::reset : closed ? FlowEnd::closed : last ? FlowEnd::shutdown : FlowEnd::none);
    }
    const bool look_for_idle = now_ns - idle_looked_ns_ >= 5'000'000'000;
    if (look_for_idle || last) {
      idle_looked_ns_ = now_ns;
      for (auto& state : states_)
        if (state.sight.end == FlowEnd::none && (last || now_ns - state.sight.wall_ns > idle_ns))
          show(state, last ? FlowEnd::shutdown : FlowEnd::idle);
    }
    changed_.clear();
    std::erase_if(flows_, [](const auto& entry) { return entry.second->sight.end != FlowEnd::none; });
    states_.remove_if([](const State& state) { return state.sight.end != FlowEnd::none; });
    detectors_.advance(now_ns, report_);
  }

  const Traffic& traffic_;
  detect::Detectors detectors_;
  std::vector<SecurityEvent> events_;
  detect::Report report_ = [this](SecurityEvent event) { events_.push_back(std::move(event)); };
  std::unordered_map<Key, State*, KeyHash> flows_;
  std::list<State> states_;
  std::vector<State*> changed_;
  std::uint64_t last_id_ = 0;
  std::int64_t idle_looked_ns_ = 0;
};

}  // namespace

std::vector<SecurityEvent> play(const Traffic& traffic, const SecurityConfig& config) {
  return FlowModel(traffic, config).run();
}

}  // namespace sonde::corpus
