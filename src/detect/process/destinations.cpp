// SPDX-License-Identifier: Apache-2.0
// Programs that always talk to the same few, and suddenly to another country or port.
#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include "detect/address.hpp"
#include "detect/bounded.hpp"
#include "detect/incidents.hpp"
#include "detect/process/process.hpp"
#include "detect/process/program.hpp"

namespace sonde::detect {

namespace {

constexpr std::size_t most_programs = 512;
constexpr std::size_t most_known = 64;  ///< ports, countries
constexpr std::int64_t quiet_ns = 300 * second_ns;

struct Program {
  std::int64_t first_ns = 0;
  std::int64_t last_new_ns = 0;
  std::uint64_t connections = 0;
  std::vector<std::uint64_t> addresses;  ///< hashes; one more than is allowed: a client of everything
  std::vector<std::uint16_t> ports;
  std::vector<std::string> countries;
};

template <class Value>
bool add_new(std::vector<Value>& known, const Value& value, std::size_t most) {
  if (std::ranges::find(known, value) != known.end()) return false;
  if (known.size() < most) known.push_back(value);
  return true;
}

class DestinationDetector final : public Detector {
 public:
  explicit DestinationDetector(const Context& context)
      : learn_ns_(to_ns(context.config.get("destination.learn"))),
        connections_(static_cast<std::uint64_t>(context.config.get("destination.connections"))),
        most_addresses_(static_cast<std::size_t>(context.config.get("destination.addresses"))),
        programs_(most_programs),
        incidents_(context, quiet_ns) {}

  void observe(const FlowSight& flow, const Report& /*report*/) override {
    const auto name = flow.is_new && flow.local[0] ? program_of(flow.owner) : std::string();
    const bool opened = flow.protocol == IPPROTO_TCP ? flow.start_seen : flow.protocol == IPPROTO_UDP;
    if (name.empty() || !opened || !is_one_host(flow.endpoints[1].address)) return;
    auto& program = programs_.touch(name);
    if (program.connections++ == 0) program.first_ns = program.last_new_ns = flow.wall_ns;
    const bool is_stable = is_settled(program, flow.wall_ns);
    add_new(program.addresses, hash_of(flow.endpoints[1].address), most_addresses_ + 1);
    const auto news = learn(program, flow);
    const auto key = combine(std::hash<std::string>{}(name), hash_of(flow.endpoints[1]));
    if (news.empty() && !incidents_.goes_on(key)) return;
    if (!news.empty()) program.last_new_ns = flow.wall_ns;
    if (!is_stable && !incidents_.goes_on(key)) return;
    incidents_.notice(key, flow.wall_ns, flow.first_wall_ns,
                      [&](SecurityEvent& event) { describe(event, program, flow, name, news); });
  }
  void advance(std::int64_t wall_ns, const Report& report) override { incidents_.advance(wall_ns, report); }
  void finish(std::int64_t wall_ns, const Report& report) override { incidents_.finish(wall_ns, report); }

 private:
  [[nodiscard]] bool is_settled(const Program& program, std::int64_t wall_ns) const {
    return wall_ns - program.first_ns >= learn_ns_ && wall_ns - program.last_new_ns >= learn_ns_ / 2 &&
           program.connections > connections_ && program.addresses.size() <= most_addresses_;
  }

  /// What is new, in words.
  static std::string learn(Program& program, const FlowSight& flow) {
    const auto port = flow.endpoints[1].port;
    // Ports above 32767 are given out anew for each purpose: one stands for all.
    const auto as_known = port < 32768 ? port : std::uint16_t{32768};
    const bool new_port = add_new(program.ports, as_known, most_known);
    const bool had_country = !program.countries.empty();
    const bool new_country = !flow.country.empty() && add_new(program.countries, std::string(flow.country), most_known);
    if (new_country && had_country) return fmt::format("country {}", flow.country);
    return new_port ? fmt::format("port {}", port) : "";
  }

  static void describe(SecurityEvent& event, const Program& program, const FlowSight& flow, const std::string& name,
                       const std::string& news) {
    add_sample(event.flows, sample_of(flow));
    if (news.empty()) return;
    event.kind = SecurityKind::new_destination;
    event.severity = Severity::low;
    event.outbound = true;
    event.who = {flow.endpoints[0].address_text()};
    event.whom = {flow.endpoints[1].text()};
    event.sources = event.targets = 1;
    event.owner = *flow.owner;
    event.interface = flow.interface;
    event.summary = fmt::format("{} talks to {}, {} for the first time", name, event.whom[0], news);
    event.evidence = {{"new", news},
                      {"connections_before", std::to_string(program.connections - 1)},
                      {"known_ports", std::to_string(program.ports.size())},
                      {"known_countries", std::to_string(program.countries.size())},
                      {"learnt_seconds", fmt::format("{}", (flow.wall_ns - program.first_ns) / second_ns)}};
    event.response = fmt::format("sonde guard block {} --direction out --ttl 10m", flow.endpoints[1].address_text());
  }

  std::int64_t learn_ns_;
  std::uint64_t connections_;
  std::size_t most_addresses_;
  Bounded<std::string, Program, std::hash<std::string>> programs_;
  Incidents incidents_;
};

}  // namespace

std::unique_ptr<Detector> make_destination_detector(const Context& context) {
  return std::make_unique<DestinationDetector>(context);
}

}  // namespace sonde::detect
