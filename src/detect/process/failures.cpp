// SPDX-License-Identifier: Apache-2.0
// Programs whose connects fail one after the other, to many addresses and ports: somebody works through a list, or an
// uplink is gone. One address, or one that is tried again and again, is a retry. Many addresses on one port are a host
// scan, and reported there.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "detect/address.hpp"
#include "detect/bounded.hpp"
#include "detect/familiar.hpp"
#include "detect/incidents.hpp"
#include "detect/process/process.hpp"
#include "detect/process/program.hpp"
#include "detect/scan/probe.hpp"

namespace sonde::detect {

namespace {

constexpr std::size_t most_programs = 512;
constexpr std::size_t most_failures = 128;
constexpr std::int64_t wait_ns = 5 * second_ns;
constexpr std::uint32_t most_tries = 3;

struct Failure {
  Endpoint server;
  std::int64_t first_ns = 0;
  std::uint32_t tries = 1;
};

struct Program {
  std::vector<Failure> failures;        ///< by server, in the order of their first try
  std::vector<std::int64_t> successes;  ///< the last ones
  double usual_share = 0;               ///< of failures, over some 64 connects before
  std::uint64_t outcomes = 0;
  Endpoint source;
  SocketOwner owner;
  std::string interface;
  std::vector<SecurityFlow> flows;
};

struct Sums {
  std::size_t addresses = 0;
  std::size_t failed = 0;
  std::size_t most_of_one_port = 0;
};

class FailureDetector final : public Detector {
 public:
  explicit FailureDetector(const Context& context)
      : addresses_(static_cast<std::size_t>(context.config.get("failures.addresses"))),
        window_ns_(to_ns(context.config.get("failures.window"))),
        share_(context.config.get("failures.share")),
        usual_(context.config.get("failures.usual_share")),
        programs_(most_programs),
        familiar_(16384),
        scanners_(context.scanners),
        incidents_(context, 60 * second_ns) {}

  void observe(const FlowSight& flow, const Report& /*report*/) override {
    if (!flow.local[0] || (flow.delta[0].packets == 0 && flow.delta[1].packets == 0)) return;
    const auto name = program_of(flow.owner);
    const auto probe = name.empty() ? std::nullopt : probe_of(flow);
    if (!probe || (probe->method != ScanMethod::tcp && probe->method != ScanMethod::udp)) return;
    const auto pair = combine(std::hash<std::string>{}(name), hash_of(flow.endpoints[1]));
    const bool failed = probe->answer == Answer::none || probe->answer == Answer::refused;
    if (failed && (probe->method == ScanMethod::udp || familiar_.contains(pair))) return;
    auto& program = programs_.touch(name);
    program.source = flow.endpoints[0];
    program.owner = *flow.owner;
    program.interface = flow.interface;
    if (failed) {
      note_failure(program, flow);
    } else if (flow.is_new || flow.total[1].packets == flow.delta[1].packets) {
      familiar_.add(pair);
      note_success(program, flow);
    }
  }

  void advance(std::int64_t wall_ns, const Report& report) override {
    for (auto& [name, program] : programs_) {
      settle(program, wall_ns);
      judge(name, program, wall_ns);
    }
    incidents_.advance(wall_ns, report);
  }
  void finish(std::int64_t wall_ns, const Report& report) override { incidents_.finish(wall_ns, report); }

 private:
  static void note_failure(Program& program, const FlowSight& flow) {
    const auto known = std::ranges::find(program.failures, flow.endpoints[1], &Failure::server);
    if (known != program.failures.end()) {
      known->tries += flow.is_new;
      return;
    }
    if (program.failures.size() == most_failures) program.failures.erase(program.failures.begin());
    program.failures.push_back({flow.endpoints[1], flow.first_wall_ns, 1});
    if (program.flows.size() == most_samples) program.flows.erase(program.flows.begin());
    program.flows.push_back(sample_of(flow));
  }

  static void note_success(Program& program, const FlowSight& flow) {
    std::erase_if(program.failures, [&](const Failure& failure) { return failure.server == flow.endpoints[1]; });
    if (program.successes.size() == most_failures) program.successes.erase(program.successes.begin());
    program.successes.push_back(flow.wall_ns);
  }

  /// What is older than the window becomes what is usual.
  void settle(Program& program, std::int64_t wall_ns) const {
    const auto old = [&](std::int64_t time_ns) { return wall_ns - time_ns > window_ns_; };
    const auto learn = [&](double failure, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        ++program.outcomes;
        program.usual_share +=
            (failure - program.usual_share) / static_cast<double>(std::min<std::uint64_t>(64, program.outcomes));
      }
    };
    learn(1, std::erase_if(program.failures, [&](const Failure& failure) { return old(failure.first_ns); }));
    learn(0, std::erase_if(program.successes, old));
  }

  static Sums sum(const Program& program, std::int64_t wall_ns) {
    std::vector<std::uint64_t> addresses;
    std::map<std::uint16_t, std::size_t> ports;
    Sums sums;
    for (const auto& failure : program.failures) {
      if (wall_ns - failure.first_ns < wait_ns || failure.tries > most_tries) continue;
      ++sums.failed;
      addresses.push_back(hash_of(failure.server.address));
      sums.most_of_one_port = std::max(sums.most_of_one_port, ++ports[failure.server.port]);
    }
    std::ranges::sort(addresses);
    sums.addresses = static_cast<std::size_t>(std::ranges::unique(addresses).begin() - addresses.begin());
    return sums;
  }

  void judge(const std::string& name, const Program& program, std::int64_t wall_ns) {
    if (program.failures.size() < addresses_ || scanners_.contains(program.source.address)) return;
    const auto sums = sum(program, wall_ns);
    const auto all = static_cast<double>(sums.failed + program.successes.size());
    if (sums.addresses < addresses_ || sums.most_of_one_port * 2 > sums.failed) return;
    if (static_cast<double>(sums.failed) < share_ * all || program.usual_share > usual_) return;
    incidents_.notice(std::hash<std::string>{}(name), wall_ns, program.failures.front().first_ns,
                      [&](SecurityEvent& event) { describe(event, name, program, sums); });
  }

  void describe(SecurityEvent& event, const std::string& name, const Program& program, const Sums& sums) const {
    event.kind = SecurityKind::connect_failures;
    event.severity = Severity::low;
    event.outbound = true;
    event.who = {program.source.address_text()};
    event.sources = 1;
    event.whom.clear();
    for (const auto& failure : program.failures)
      if (event.whom.size() < most_addresses) event.whom.push_back(failure.server.text());
    event.targets = sums.addresses;
    event.owner = program.owner;
    event.interface = program.interface;
    event.flows = program.flows;
    event.summary = fmt::format("{}: connects to {} addresses failed within {}, {} succeeded", name, sums.addresses,
                                duration_text(window_ns_), program.successes.size());
    event.evidence = {{"failed", std::to_string(sums.failed)},
                      {"addresses", std::to_string(sums.addresses)},
                      {"succeeded", std::to_string(program.successes.size())},
                      {"usual_share", fmt::format("{:.2f}", program.usual_share)}};
  }

  std::size_t addresses_;
  std::int64_t window_ns_;
  double share_, usual_;
  Bounded<std::string, Program, std::hash<std::string>> programs_;
  Familiar familiar_;  ///< programs and servers that answered them
  const std::set<Address>& scanners_;
  Incidents incidents_;
};

}  // namespace

std::unique_ptr<Detector> make_failure_detector(const Context& context) {
  return std::make_unique<FailureDetector>(context);
}

}  // namespace sonde::detect
