// SPDX-License-Identifier: Apache-2.0
#include "detect/flood/target.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "detect/ports.hpp"

namespace sonde::detect {

namespace {

/// One port gets nearly all of it.
std::optional<std::uint16_t> main_port(const Top<std::uint16_t>& ports) {
  const auto sorted = ports.sorted();
  if (sorted.empty() || sorted[0].first == 0 || sorted[0].second * 10 < ports.sum() * 5) return std::nullopt;
  return sorted[0].first;
}

/// The few who send nearly all, down to a fiftieth each; empty when it takes more.
std::vector<Address> main_sources(const FloodSources& sources, std::size_t few) {
  std::vector<Address> addresses;
  std::uint64_t sum = 0;
  for (const auto& [address, packets] : sources.most.sorted()) {
    const bool is_small = packets * 50 < sources.most.sum();
    if (addresses.size() == few || (is_small && sum * 10 >= sources.most.sum() * 8)) break;
    addresses.push_back(address);
    sum += packets;
  }
  const bool is_all = sum * 10 >= sources.most.sum() * 8 && sources.addresses.count() <= 20 * few;
  return is_all ? addresses : std::vector<Address>{};
}

std::string block_command(const std::vector<Address>& addresses) {
  std::string text = "sonde guard block";
  for (const auto& address : addresses) text += " " + address_text(address);
  return text + " --ttl 10m";
}

/// What helps when the addresses are forged: limits by source do not, each comes once.
std::string response_to_many(FloodKind kind, const FloodSources& sources, bool ipv6) {
  const auto port = main_port(sources.destination_ports);
  switch (kind) {
    case FloodKind::syn: return "sysctl -w net.ipv4.tcp_syncookies=1";
    case FloodKind::udp:
      return port ? fmt::format("sonde guard block any --protocol udp --dst-port {} --ttl 10m", *port) : "";
    case FloodKind::icmp: return fmt::format("sonde guard block any --protocol {} --ttl 10m", ipv6 ? "icmp6" : "icmp");
    case FloodKind::reflection: break;
  }
  const auto from = main_port(sources.source_ports);
  return from ? fmt::format("sonde guard block any --protocol udp --src-port {} --ttl 10m", *from) : "";
}

SecurityKind security_kind(FloodKind kind) {
  static constexpr std::array kinds{SecurityKind::syn_flood, SecurityKind::udp_flood, SecurityKind::icmp_flood,
                                    SecurityKind::reflection};
  return kinds[static_cast<std::size_t>(kind)];
}

}  // namespace

FloodLimits::FloodLimits(const SecurityConfig& config)
    : syn_rate(config.get("flood.syn_rate")),
      udp_rate(config.get("flood.udp_rate")),
      icmp_rate(config.get("flood.icmp_rate")),
      reflection_rate(config.get("flood.reflection_rate")),
      silent_factor(config.get("flood.silent_factor")),
      factor(config.get("flood.factor")),
      deviations(config.get("flood.deviations")),
      few(static_cast<std::size_t>(config.get("flood.few"))),
      servers(static_cast<std::size_t>(config.get("flood.servers"))),
      seconds(static_cast<int>(config.get("flood.seconds"))),
      quiet_ns(to_ns(config.get("flood.quiet"))) {}

double FloodLimits::least_rate(FloodKind kind) const {
  const std::array rates{syn_rate, udp_rate, icmp_rate, reflection_rate};
  return rates[static_cast<std::size_t>(kind)];
}

void FloodSources::note(const FlowSight& flow, const Suspicion& suspicion) {
  const auto& from = flow.endpoints[1 - suspicion.target];
  const auto& to = flow.endpoints[suspicion.target];
  const auto packets = static_cast<std::uint64_t>(std::max(1.0, suspicion.packets));
  addresses.add(hash_of(from.address));
  most.add(from.address, packets);
  if (from.port != 0) source_ports.add(from.port, packets);
  if (to.port != 0) destination_ports.add(to.port, packets);
  add_sample(samples, sample_of(flow));
  interface = flow.interface;
  outbound |= flow.local[1 - suspicion.target] && !flow.local[suspicion.target];
  if (flow.owner && outbound && !owner) owner = std::make_unique<SocketOwner>(*flow.owner);
}

void FloodTarget::note(const FlowSight& flow, const Suspicion& suspicion) {
  packets_ += suspicion.packets;
  if (suspicion.excused)
    excused_ += suspicion.packets;
  else if (suspicion.silent)
    silent_ += suspicion.packets;
  bytes_ += suspicion.bytes;
  if (suspicion.packets <= 0) return;
  if (!sources_) sources_ = std::make_unique<FloodSources>();
  sources_->note(flow, suspicion);
}

double FloodTarget::threshold(FloodKind kind, const FloodLimits& limits) const {
  auto least = limits.least_rate(kind);
  const bool is_of_few = kind == FloodKind::syn && sources_ && !main_sources(*sources_, limits.few).empty();
  // A few that send SYNs to many ports scan, however fast.
  if (is_of_few && !main_port(sources_->destination_ports)) return std::numeric_limits<double>::infinity();
  // Clients whose server is gone repeat their SYNs; a flood that looks like it is much faster.
  const auto like_an_outage = excused_ + (is_of_few ? silent_ : 0);
  if (like_an_outage * 10 >= packets_ * 9 && like_an_outage > 0) least *= limits.silent_factor;
  return std::max(
      {least, baseline_.mean() + limits.deviations * baseline_.deviation(), limits.factor * baseline_.mean()});
}

bool FloodTarget::close(const Address& target, FloodKind kind, const FloodLimits& limits, const Context& context,
                        std::int64_t wall_ns, double seconds, const Report& report) {
  rate_ = std::max(0.0, packets_) / seconds;
  const bool over = rate_ >= threshold(kind, limits);
  const auto describing = [&](SecurityEvent& event) { describe(target, kind, limits, event); };
  if (over && seconds_over_ == 0) over_since_ns_ = wall_ns - static_cast<std::int64_t>(seconds * 1e9);
  seconds_over_ = over ? seconds_over_ + 1 : 0;
  if (over || incident_) {
    all_packets_ += std::max(0.0, packets_);
    all_bytes_ += bytes_;
    highest_rate_ = std::max(highest_rate_, rate_);
  }
  const bool enough_servers =
      kind != FloodKind::reflection || (sources_ && sources_->addresses.count() >= limits.servers);
  if (!incident_ && seconds_over_ >= limits.seconds && sources_ && enough_servers) {
    incident_ = std::make_unique<Incident>();
    incident_->notice(over_since_ns_);
    incident_->notice(wall_ns);
    incident_->start(context, wall_ns, report, describing);
  } else if (incident_) {
    if (rate_ * 2 >= limits.least_rate(kind)) incident_->notice(wall_ns);
    if (incident_->quiet(wall_ns, limits.quiet_ns)) {
      incident_->end(wall_ns, report, describing);
      incident_.reset();
    } else {
      incident_->update(wall_ns, report, describing);
    }
  }
  if (!over && !incident_) {
    baseline_.learn(rate_);
    sources_.reset();
    highest_rate_ = all_packets_ = 0;
    all_bytes_ = 0;
  }
  packets_ = silent_ = excused_ = 0;
  bytes_ = 0;
  return incident_ || over || baseline_.mean() >= 1;
}

void FloodTarget::finish(const Address& target, FloodKind kind, const FloodLimits& limits, std::int64_t wall_ns,
                         const Report& report) {
  if (incident_) incident_->end(wall_ns, report, [&](SecurityEvent& event) { describe(target, kind, limits, event); });
  incident_.reset();
}

void FloodTarget::describe(const Address& target, FloodKind kind, const FloodLimits& limits,
                           SecurityEvent& event) const {
  if (!sources_) return;
  const auto& sources = *sources_;
  const auto few = main_sources(sources, limits.few);
  const auto port = main_port(kind == FloodKind::reflection ? sources.source_ports : sources.destination_ports);
  event.kind = security_kind(kind);
  event.severity = Severity::high;
  event.outbound = sources.outbound;
  event.who.clear();
  for (const auto& [address, packets] : sources.most.sorted())
    if (event.who.size() < most_addresses && (few.empty() || event.who.size() < few.size()))
      event.who.push_back(address_text(address));
  event.sources = sources.addresses.count();
  const bool names_port = port && kind != FloodKind::icmp && kind != FloodKind::reflection;
  event.whom = {address_text(target)};
  event.targets = 1;
  event.interface = sources.interface;
  if (sources.owner) event.owner = *sources.owner;
  event.flows = sources.samples;
  static constexpr std::array names{"SYN flood", "UDP flood", "ICMP flood", "reflection"};
  event.summary = fmt::format("{}{} to {}{}: {:.0f} packets/s from {} {}", names[static_cast<std::size_t>(kind)],
                              kind == FloodKind::reflection && port ? fmt::format(" of {}", reflector_name(*port)) : "",
                              event.whom[0], names_port ? fmt::format(" port {}", *port) : "", highest_rate_,
                              event.sources, event.sources == 1 ? "address" : "addresses");
  event.evidence = {{"packets_per_second", fmt::format("{:.0f}", rate_)},
                    {"highest_packets_per_second", fmt::format("{:.0f}", highest_rate_)},
                    {"usual_packets_per_second", fmt::format("{:.0f}", baseline_.mean())},
                    {"packets", fmt::format("{:.0f}", all_packets_)},
                    {"bytes", std::to_string(all_bytes_)},
                    {"sources", std::to_string(event.sources)}};
  if (port) event.evidence.emplace_back(kind == FloodKind::reflection ? "source_port" : "port", std::to_string(*port));
  event.block.clear();
  if (event.outbound) {
    event.response = fmt::format("sonde guard block {} --direction out --ttl 10m", address_text(target));
  } else if (!few.empty()) {
    event.response = block_command(few);
    event.block = address_text(few[0]);
  } else {
    event.response = response_to_many(kind, sources, !Endpoint{target, 0}.is_ipv4());
  }
}

}  // namespace sonde::detect
