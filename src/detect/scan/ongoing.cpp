// SPDX-License-Identifier: Apache-2.0
#include "detect/scan/ongoing.hpp"

#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>

namespace sonde::detect {

namespace {

constexpr std::size_t most_scans = 256;
constexpr std::size_t most_sources = 128;
/// Decoys begin within one round trip of each other; at T2 it takes them this long to be seen.
constexpr std::int64_t decoy_time_ns = 60 * second_ns;

std::uint8_t protocol_of(ScanMethod method, std::uint16_t port) {
  if (method == ScanMethod::udp) return IPPROTO_UDP;
  if (method == ScanMethod::sctp) return IPPROTO_SCTP;
  return static_cast<std::uint8_t>(method == ScanMethod::protocol ? port : std::uint16_t{IPPROTO_TCP});
}

const char* protocol_word(ScanMethod method) {
  if (method == ScanMethod::udp) return "udp";
  return method == ScanMethod::sctp ? "sctp" : "tcp";
}

std::string many(std::uint64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string response_to(const OngoingScan& scan, const SecurityEvent& event) {
  // Of decoys only one is real, and the others belong to somebody.
  if (scan.sources.size() > 1) return {};
  if (!event.outbound) return fmt::format("sonde guard block {} --ttl 10m", address_text(scan.sources[0]));
  if (event.targets == 1)
    return fmt::format("sonde guard block {} --direction out --ttl 10m", address_text(scan.target));
  if (event.kind == SecurityKind::host_scan && scan.probed.ports.count() == 1)
    return fmt::format("sonde guard block any --direction out --protocol {} --dst-port {} --ttl 10m",
                       protocol_word(scan.method), scan.port);
  return {};
}

std::string summary_of(const OngoingScan& scan, const SecurityEvent& event) {
  const auto* what = scan.method == ScanMethod::protocol ? "protocol" : "port";
  const auto time = duration_text(event.last_wall_ns - event.first_wall_ns);
  const auto ports = event.kind == SecurityKind::host_scan && scan.probed.ports.count() == 1
                         ? fmt::format("port {}", scan.port)
                         : many(scan.probed.ports.count(), what);
  const auto hosts = event.targets == 1 ? address_text(scan.target) : many(event.targets, "host");
  const auto decoys = scan.sources.size() > 1
                          ? fmt::format(" from {} addresses at a time, most of them decoys", scan.sources.size())
                          : "";
  return fmt::format("{} scan of {} {} {}{} in {}", event.method, ports,
                     event.kind == SecurityKind::host_scan ? "on" : "of", hosts, decoys, time);
}

SecurityFlow sample_of_contact(const Contact& contact, const Address& source, ScanMethod method) {
  const bool has_ports = method != ScanMethod::protocol;
  return {.wall_ns = contact.first_ns,
          .protocol = protocol_of(method, contact.target.port),
          .source = {source, contact.source_port},
          .destination = {contact.target.address, has_ports ? contact.target.port : std::uint16_t{0}},
          .packets = contact.packets,
          .bytes = contact.bytes};
}

}  // namespace

void OngoingScan::note(const Contact& contact, std::int64_t wall_ns) {
  probed.add(contact);
  incident.notice(wall_ns);
}

void OngoingScan::describe(SecurityEvent& event) const {
  event.who.clear();
  for (std::size_t i = 0; i < std::min(sources.size(), most_addresses); ++i)
    event.who.push_back(address_text(sources[i]));
  event.sources = sources.size();
  event.targets = probed.targets.count();
  event.whom = {address_text(target)};
  event.summary = summary_of(*this, event);
  const auto seconds = std::max(0.001, static_cast<double>(event.last_wall_ns - event.first_wall_ns) / 1e9);
  const auto pairs = probed.pairs();
  event.evidence = {{"ports", std::to_string(probed.ports.count())},
                    {"hosts", std::to_string(event.targets)},
                    {"probes", std::to_string(pairs)},
                    {"refused", std::to_string(probed.refused)},
                    {"open", std::to_string(probed.open)},
                    {"seconds", fmt::format("{:.1f}", seconds)},
                    {"probes_per_second", fmt::format("{:.1f}", static_cast<double>(pairs) / seconds)}};
  event.response = response_to(*this, event);
  event.block = event.response.empty() || event.outbound ? "" : address_text(sources[0]);
}

OngoingScan* OngoingScans::find(const Address& source, ScanMethod method) {
  const auto found = by_source_.find({source, method});
  return found == by_source_.end() ? nullptr : found->second;
}

OngoingScan* OngoingScans::same_by_decoy(const GroupKey& key, const Group& group, std::int64_t wall_ns) {
  for (auto& scan : scans_) {
    const auto& event = scan.incident.event;
    const bool same_kind = (event.kind == SecurityKind::host_scan) == key.by_port;
    if (scan.method != key.method || !same_kind || event.outbound != group.outbound) continue;
    if (wall_ns - event.first_wall_ns > 2 * decoy_time_ns || scan.sources.size() >= most_sources) continue;
    const auto first = std::ranges::min(group.contacts, {}, &Contact::first_ns).first_ns;
    if (first - event.first_wall_ns > decoy_time_ns || event.first_wall_ns - first > decoy_time_ns) continue;
    const auto known = std::ranges::count_if(
        group.contacts, [&](const Contact& contact) { return scan.probed.contacts.contains(hash_of(contact.target)); });
    if (static_cast<std::size_t>(known) * 2 >= group.contacts.size()) return &scan;
  }
  return nullptr;
}

void OngoingScans::start(const GroupKey& key, const Group& group, const Probed* forgotten, bool fragments,
                         std::int64_t wall_ns) {
  auto* scan = same_by_decoy(key, group, wall_ns);
  const bool is_new = scan == nullptr;
  if (is_new) {
    if (scans_.size() >= most_scans) return;
    scan = &scans_.emplace_back();
    auto& event = scan->incident.event;
    scan->method = key.method;
    scan->target = group.contacts.front().target.address;
    scan->port = key.port;
    event.kind = key.by_port ? SecurityKind::host_scan : SecurityKind::port_scan;
    event.outbound = group.outbound;
    event.severity = group.outbound ? Severity::high : Severity::medium;
    event.method = method_name(key.method, group, fragments);
    event.interface = group.interface;
    if (group.owner) event.owner = *group.owner;
    if (forgotten && wall_ns - forgotten->first_ns <= limits_.window_ns) {
      scan->probed = *forgotten;
      scan->incident.notice(forgotten->first_ns);
    }
  }
  scan->sources.push_back(key.source);
  by_source_[{key.source, key.method}] = scan;
  context_.scanners.insert(key.source);
  auto& event = scan->incident.event;
  for (const auto& contact : group.contacts) {
    if (wall_ns - contact.first_ns > limits_.window_ns) continue;
    scan->note(contact, contact.first_ns);
    scan->probed.refused += contact.answer == Answer::refused;
    scan->probed.open += contact.answer >= Answer::open;
    if (event.flows.size() < most_samples) event.flows.push_back(sample_of_contact(contact, key.source, key.method));
  }
}

void OngoingScans::forget(const OngoingScan& scan) {
  for (const auto& source : scan.sources) {
    by_source_.erase({source, scan.method});
    context_.scanners.erase(source);
  }
}

void OngoingScans::advance(std::int64_t wall_ns, const Report& report) {
  for (auto scan = scans_.begin(); scan != scans_.end();) {
    const auto next = std::next(scan);
    const auto describe = [&](SecurityEvent& event) { scan->describe(event); };
    if (!scan->incident.started()) scan->incident.start(context_, wall_ns, report, describe);
    if (scan->incident.quiet(wall_ns, limits_.quiet_ns)) {
      scan->incident.end(wall_ns, report, describe);
      forget(*scan);
      scans_.erase(scan);
    } else {
      scan->incident.update(wall_ns, report, describe);
    }
    scan = next;
  }
}

void OngoingScans::finish(std::int64_t wall_ns, const Report& report) {
  for (auto& scan : scans_) {
    const auto describe = [&](SecurityEvent& event) { scan.describe(event); };
    if (!scan.incident.started()) scan.incident.start(context_, wall_ns, report, describe);
    scan.incident.end(wall_ns, report, describe);
  }
  scans_.clear();
  context_.scanners.clear();
  by_source_.clear();
}

}  // namespace sonde::detect
