// SPDX-License-Identifier: Apache-2.0
// Tunnels put data into names, so nearly every name is a new one, long, and spread over the alphabet; what comes back
// is in answers of types that carry much. None of this alone is odd: all of it together, for one domain, is.
#include "detect/dns/dns.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "detect/address.hpp"
#include "detect/bounded.hpp"
#include "detect/distinct.hpp"
#include "detect/dns/names.hpp"
#include "detect/incidents.hpp"

namespace sonde::detect {

namespace {

constexpr std::size_t most_pairs = 2048;

struct Key {
  Address client{};
  std::string domain;
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return combine(hash_of(key.client), std::hash<std::string>{}(key.domain));
  }
};

struct Window {
  std::int64_t began_ns = 0;
  Distinct names;
  std::uint64_t queries = 0;
  std::uint64_t carriers = 0;  ///< of types that carry much
  double characters = 0;
  double entropy = 0;  ///< sums over the queries
};

struct Pair {
  Window window;
  std::int64_t first_ns = 0;
  std::uint64_t queries = 0, bytes_up = 0, bytes_down = 0;
  std::string sample;
  SocketOwner owner;
};

/// CNAME, NULL, MX, TXT, SRV, and the numbers for private use (iodine).
bool carries_much(std::uint16_t type) {
  static constexpr std::array<std::uint16_t, 5> types{5, 10, 15, 16, 33};
  return std::ranges::find(types, type) != types.end() || type >= 65280;
}

class DnsDetector final : public Detector {
 public:
  explicit DnsDetector(const Context& context)
      : window_ns_(to_ns(context.config.get("dns.window"))),
        names_(context.config.get("dns.names")),
        length_(context.config.get("dns.length")),
        entropy_(context.config.get("dns.entropy")),
        unique_(context.config.get("dns.unique_share")),
        carrier_share_(context.config.get("dns.carrier_share")),
        pairs_(most_pairs),
        incidents_(context, 120 * second_ns) {}

  void observe(const DnsSight& dns, const Report& /*report*/) override {
    const auto split = split_name(dns.name);
    if (split.data.empty() || is_usual_data(split)) return;
    const Key key{dns.client.address, std::string(split.domain)};
    if (dns.response) {
      if (auto* pair = pairs_.find(key)) pair->bytes_down += dns.answer_bytes;
      return;
    }
    auto& pair = pairs_.touch(key);
    if (pair.queries == 0) pair.first_ns = dns.wall_ns;
    auto& window = pair.window;
    if (window.began_ns == 0 || dns.wall_ns - window.began_ns > window_ns_) {
      window = {};
      window.began_ns = dns.wall_ns;
    }
    note(pair, dns, split);
    if (is_tunnel(window))
      incidents_.notice(KeyHash{}(key), dns.wall_ns, window.began_ns,
                        [&](SecurityEvent& event) { describe(event, dns, key, pair); });
  }
  void advance(std::int64_t wall_ns, const Report& report) override { incidents_.advance(wall_ns, report); }
  void finish(std::int64_t wall_ns, const Report& report) override { incidents_.finish(wall_ns, report); }

 private:
  static void note(Pair& pair, const DnsSight& dns, const SplitName& split) {
    auto& window = pair.window;
    ++window.queries;
    window.names.add(mix(std::hash<std::string_view>{}(split.data)));
    window.carriers += carries_much(dns.type);
    window.characters += static_cast<double>(split.data.size());
    window.entropy += entropy_of(split.data);
    ++pair.queries;
    pair.bytes_up += split.data.size();
    if (split.data.size() > pair.sample.size()) pair.sample = std::string(dns.name);
    if (dns.owner) pair.owner = *dns.owner;
  }

  [[nodiscard]] bool is_tunnel(const Window& window) const {
    const auto names = static_cast<double>(window.names.count()), queries = static_cast<double>(window.queries);
    // Half as many names, half as long, are enough where the types are those of a tunnel.
    const double ease = static_cast<double>(window.carriers) >= carrier_share_ * queries ? 0.5 : 1;
    return names >= names_ * ease && names >= unique_ * queries && window.characters >= length_ * ease * queries &&
           window.entropy >= entropy_ * queries;
  }

  static void describe(SecurityEvent& event, const DnsSight& dns, const Key& key, const Pair& pair) {
    const auto& window = pair.window;
    const auto queries = static_cast<double>(window.queries);
    event.kind = SecurityKind::dns_tunnel;
    event.severity = Severity::high;
    event.outbound = pair.owner.owner.known();
    event.who = {dns.client.address_text()};
    event.whom = {key.domain};
    event.sources = event.targets = 1;
    event.owner = pair.owner;
    const auto rate = static_cast<double>(pair.bytes_up) * 8 * 1e9 /
                      static_cast<double>(std::max<std::int64_t>(second_ns, dns.wall_ns - pair.first_ns));
    event.summary = fmt::format("{} asks for {} names below {}, of {:.0f} characters each", event.who[0],
                                window.names.count(), key.domain, window.characters / queries);
    event.evidence = {{"names", std::to_string(window.names.count())},
                      {"queries", std::to_string(pair.queries)},
                      {"mean_characters", fmt::format("{:.1f}", window.characters / queries)},
                      {"bits_per_character", fmt::format("{:.2f}", window.entropy / queries)},
                      {"carrier_share", fmt::format("{:.2f}", static_cast<double>(window.carriers) / queries)},
                      {"bytes_up", std::to_string(pair.bytes_up)},
                      {"bytes_down", std::to_string(pair.bytes_down)},
                      {"bits_per_second_up", fmt::format("{:.0f}", rate)},
                      {"longest_name", pair.sample}};
    // The name server of the tunnel is behind a resolver that others use too: its address is not the one to block.
  }

  std::int64_t window_ns_;
  double names_, length_, entropy_, unique_, carrier_share_;
  Bounded<Key, Pair, KeyHash> pairs_;
  Incidents incidents_;
};

}  // namespace

std::unique_ptr<Detector> make_dns_detector(const Context& context) { return std::make_unique<DnsDetector>(context); }

}  // namespace sonde::detect
