// SPDX-License-Identifier: Apache-2.0
// Sequential hypothesis testing over first contacts (Jung, Paxson, Berger, Balakrishnan: "Fast Portscan Detection Using
// Sequential Hypothesis Testing", 2004): a source's first contacts with a service mostly succeed, a scanner's mostly
// fail. Their test is over after four to six failures; here it also takes a least number, see the reasons of scan.ports
// and scan.hosts.
#include "detect/scan/scan.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <limits>

#include "detect/familiar.hpp"
#include "detect/scan/contacts.hpp"
#include "detect/scan/judge.hpp"
#include "detect/scan/ongoing.hpp"

namespace sonde::detect {

namespace {

std::uint32_t as32(std::uint64_t value) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

class ScanDetector final : public Detector {
 public:
  explicit ScanDetector(const Context& context)
      : limits_(context.config),
        contacts_(limits_.window_ns),
        ongoing_(context, limits_),
        services_(16384),
        familiar_(16384),
        fragments_(256) {}

  void observe(const FlowSight& flow, const Report& report) override;
  void advance(std::int64_t wall_ns, const Report& report) override;
  void finish(std::int64_t wall_ns, const Report& report) override;

 private:
  [[nodiscard]] bool is_ordinary(const FlowSight& flow, const Probe& probe);
  void note(const FlowSight& flow, const Probe& probe, const Contact& contact);
  void look_at(const GroupKey& key, Group& group, const FlowSight& flow);
  /// True: the group is done with.
  bool judge(const GroupKey& key, std::int64_t wall_ns, bool everything);

  ScanLimits limits_;
  Contacts contacts_;
  OngoingScans ongoing_;
  Familiar services_;                 ///< endpoints that answered somebody
  Familiar familiar_;                 ///< pairs of a source and a service that answered it
  Familiar fragments_;                ///< sources of TCP in fragments
  std::vector<GroupKey> candidates_;  ///< groups with enough contacts; no more than there are groups
};

bool ScanDetector::is_ordinary(const FlowSight& flow, const Probe& probe) {
  const auto& [opener, target] = flow.endpoints;
  const auto service = combine(hash_of(target), flow.protocol);
  const auto pair = combine(hash_of(opener.address), service);
  if (probe.answer == Answer::used || probe.answer == Answer::open) {
    services_.add(service);
    familiar_.add(pair);
    return false;
  }
  // It worked before, so this is an outage. Or a service speaks to a client whose connection is older than the flow.
  return familiar_.contains(pair) ||
         (probe.method != ScanMethod::tcp && services_.contains(combine(hash_of(opener), flow.protocol)));
}

void ScanDetector::observe(const FlowSight& flow, const Report& /*report*/) {
  if (flow.delta[0].packets == 0 && flow.delta[1].packets == 0) return;
  // An answered flow that goes on brings nothing new.
  if (!flow.is_new && flow.total[1].packets > flow.delta[1].packets + 2 && flow.protocol != IPPROTO_SCTP) return;
  if (is_fragment_of_tcp(flow)) fragments_.add(hash_of(flow.endpoints[0].address));
  const auto probe = probe_of(flow);
  if (!probe || is_ordinary(flow, *probe)) return;
  const Contact contact{.target = {flow.endpoints[1].address, probe->port},
                        .source_port = flow.endpoints[0].port,
                        .answer = probe->answer,
                        .half_open = probe->half_open,
                        .completed = probe->completed,
                        .first_ns = flow.is_new ? flow.first_wall_ns : flow.wall_ns,
                        .last_ns = flow.wall_ns,
                        .packets = as32(flow.total[0].packets + flow.total[1].packets),
                        .bytes = as32(flow.total[0].bytes + flow.total[1].bytes)};
  if (auto* scan = ongoing_.find(flow.endpoints[0].address, probe->method)) {
    // Traffic with a service that was found is no part of the scan.
    if (probe->answer == Answer::used && !flow.is_new) return;
    const bool answered_now = flow.total[1].packets > 0 && flow.total[1].packets == flow.delta[1].packets;
    scan->probed.refused += probe->answer == Answer::refused && (answered_now || flow.is_new);
    scan->probed.open += probe->answer >= Answer::open && answered_now;
    scan->note(contact, flow.wall_ns);
    return;
  }
  note(flow, *probe, contact);
}

void ScanDetector::note(const FlowSight& flow, const Probe& probe, const Contact& contact) {
  const auto& source = flow.endpoints[0].address;
  const GroupKey by_target{.source = source, .target = contact.target.address, .method = probe.method};
  const GroupKey by_port{.source = source, .port = probe.port, .method = probe.method, .by_port = true};
  const auto of_target = contacts_.note(by_target, contact, flow.is_new);
  if (of_target.group) look_at(by_target, *of_target.group, flow);
  const auto of_port = contacts_.note(by_port, contact, flow.is_new);
  if (of_port.group) look_at(by_port, *of_port.group, flow);
  const bool failed = contact.answer == Answer::none || contact.answer == Answer::refused;
  // A group that is busy has forgotten the contact by the time of its answer.
  const bool answered_late = !flow.is_new && !failed && flow.total[1].packets == flow.delta[1].packets;
  auto* group = of_port.group;
  if (of_port.is_new && failed) {
    contacts_.spread(source, probe.method).failed(contact.target.address, flow.wall_ns, limits_.window_ns);
    if (group) group->failures.add(flow.wall_ns, limits_.window_ns);
  } else if (of_port.answered_now || answered_late) {
    contacts_.spread(source, probe.method).answered();
    if (group) group->failures.take_back();
  }
}

void ScanDetector::look_at(const GroupKey& key, Group& group, const FlowSight& flow) {
  if (group.contacts.size() < std::min({limits_.ports, limits_.hosts, limits_.bare_ports}) || group.is_candidate)
    return;
  group.is_candidate = true;
  group.outbound = flow.local[0] && !flow.local[1];
  group.interface = flow.interface;
  if (flow.owner && flow.local[0]) group.owner = std::make_unique<SocketOwner>(*flow.owner);
  candidates_.push_back(key);
}

bool ScanDetector::judge(const GroupKey& key, std::int64_t wall_ns, bool everything) {
  auto* group = contacts_.find(key);
  if (!group || !group->is_candidate) return true;
  if (ongoing_.find(key.source, key.method)) {  // found by its other group
    contacts_.erase(key);
    return true;
  }
  const bool is_scan = key.by_port ? is_host_scan(*group, key.method, contacts_.spread(key.source, key.method), limits_,
                                                  wall_ns, everything)
                                   : is_port_scan(*group, key.method, limits_, wall_ns, everything);
  if (is_scan) {
    ongoing_.start(key, *group, contacts_.forgotten(key), fragments_.contains(hash_of(key.source)), wall_ns);
    contacts_.erase(key);
    return true;
  }
  const auto last = std::ranges::max(group->contacts, {}, &Contact::first_ns).first_ns;
  if (wall_ns - last <= limits_.window_ns) return false;
  group->is_candidate = false;
  return true;
}

void ScanDetector::advance(std::int64_t wall_ns, const Report& report) {
  std::erase_if(candidates_, [&](const GroupKey& key) { return judge(key, wall_ns, false); });
  ongoing_.advance(wall_ns, report);
}

void ScanDetector::finish(std::int64_t wall_ns, const Report& report) {
  std::erase_if(candidates_, [&](const GroupKey& key) { return judge(key, wall_ns, true); });
  ongoing_.finish(wall_ns, report);
}

}  // namespace

std::unique_ptr<Detector> make_scan_detector(const Context& context) { return std::make_unique<ScanDetector>(context); }

}  // namespace sonde::detect
