// SPDX-License-Identifier: Apache-2.0
// Who says that an address is his. Four things that honest hosts do not do:
// - two MACs claim an address in turn (the owner and the forger both answer);
// - answers for an address go to somebody again and again, without a question (poisoning has to be repeated);
// - one MAC takes addresses from many others (a router that takes over has them from one, the one that failed);
// - the sender in the packet is not the one in the frame.
// One change of an address, from one MAC to another, is what VRRP without a virtual MAC does, and a lease that moves.
#include "detect/arp/arp.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "detect/address.hpp"
#include "detect/bounded.hpp"
#include "detect/incidents.hpp"

namespace sonde::detect {

namespace {

using Mac = std::array<std::uint8_t, 6>;
constexpr std::size_t most_addresses_known = 4096;
constexpr std::size_t most_macs = 1024;
constexpr std::size_t most_times = 32;
/// An answer comes at once; who sleeps (RFC 4861 speaks of seconds) or is far takes longer.
constexpr std::int64_t answer_time_ns = 5 * second_ns;
/// Repeated less often, entries in the victim's cache are mended in between (ettercap: 10 s).
constexpr std::int64_t unasked_span_ns = 5 * second_ns;

struct Claims {
  Mac mac{}, previous{};
  std::int64_t asked_ns = 0;
  std::vector<std::int64_t> turns;    ///< when it went back to a MAC that had it before
  std::vector<std::int64_t> unasked;  ///< answers of `unasked_mac` to somebody who did not ask
  Mac unasked_mac{};
  std::uint64_t event_key = 0;  ///< of the last event about this address
};

struct Taking {
  std::int64_t wall_ns = 0;
  Mac from{};
  Address address{};
};

struct Forger {
  std::vector<Taking> taken;
  std::vector<std::int64_t> mismatches;
};

struct MacHash {
  std::size_t operator()(const Mac& mac) const {
    std::uint64_t value = 0;
    for (const auto byte : mac) value = value << 8 | byte;
    return mix(value);
  }
};

std::string mac_text(const Mac& mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/// VRRP (RFC 9568 7.3), HSRP and others: the frame may have the router's own.
bool is_virtual_router(const Mac& mac) {
  return mac[0] == 0 && ((mac[1] == 0 && mac[2] == 0x5e) || (mac[1] == 0 && mac[2] == 0x0c && mac[3] == 0x07));
}

template <class Item, class Time>
void forget_old(std::vector<Item>& items, std::int64_t wall_ns, std::int64_t window_ns, Time time) {
  std::erase_if(items, [&](const Item& item) { return wall_ns - time(item) > window_ns; });
  if (items.size() >= most_times) items.erase(items.begin());
}

constexpr auto itself = [](std::int64_t time_ns) { return time_ns; };

class ArpDetector final : public Detector {
 public:
  explicit ArpDetector(const Context& context)
      : window_ns_(to_ns(context.config.get("arp.window"))),
        turns_(static_cast<std::size_t>(context.config.get("arp.turns"))),
        unasked_(static_cast<std::size_t>(context.config.get("arp.unasked"))),
        owners_(static_cast<std::size_t>(context.config.get("arp.owners"))),
        mismatches_(static_cast<std::size_t>(context.config.get("arp.mismatches"))),
        claims_(most_addresses_known),
        forgers_(most_macs),
        incidents_(context, 60 * second_ns) {}

  void observe(const ArpSight& arp, const Report& /*report*/) override {
    if (!arp.reply && arp.target_address != arp.sender_address)
      claims_.touch(arp.target_address).asked_ns = arp.wall_ns;
    // A probe (RFC 5227) claims nothing yet.
    if (!is_one_host(arp.sender_address)) return;
    auto& claims = claims_.touch(arp.sender_address);
    if (arp.sender_mac != claims.mac) change_owner(claims, arp);
    if (arp.reply) note_answer(claims, arp);
    if (arp.sender_mac != arp.frame_source) note_mismatch(arp);
  }
  void advance(std::int64_t wall_ns, const Report& report) override { incidents_.advance(wall_ns, report); }
  void finish(std::int64_t wall_ns, const Report& report) override { incidents_.finish(wall_ns, report); }

 private:
  void change_owner(Claims& claims, const ArpSight& arp) {
    const bool is_first = claims.mac == Mac{};
    const auto from = claims.mac;
    const bool returns = arp.sender_mac == claims.previous;
    claims.previous = claims.mac;
    claims.mac = arp.sender_mac;
    if (is_first) return;
    if (returns) {
      forget_old(claims.turns, arp.wall_ns, window_ns_, itself);
      claims.turns.push_back(arp.wall_ns);
      if (claims.turns.size() >= turns_)
        notice(arp, claims.turns.front(), Severity::high, "claimed in turn by",
               fmt::format("{} and {}", mac_text(claims.mac), mac_text(claims.previous)), claims.turns.size());
    }
    auto& forger = forgers_.touch(arp.sender_mac);
    forget_old(forger.taken, arp.wall_ns, window_ns_, [](const Taking& taking) { return taking.wall_ns; });
    forger.taken.push_back({arp.wall_ns, from, arp.sender_address});
    judge_taking(forger, arp);
  }

  void judge_taking(const Forger& forger, const ArpSight& arp) {
    std::vector<Mac> from;
    for (const auto& taking : forger.taken)
      if (std::ranges::find(from, taking.from) == from.end()) from.push_back(taking.from);
    if (from.size() >= owners_)
      notice(arp, forger.taken.front().wall_ns, Severity::high, "and others were taken by", mac_text(arp.sender_mac),
             from.size());
  }

  void note_answer(Claims& claims, const ArpSight& arp) {
    // An announcement (RFC 5227 3) is to everybody, and routers repeat it.
    const bool announces = arp.target_address == arp.sender_address || arp.target_address == Address{};
    if (announces || arp.wall_ns - claims.asked_ns <= answer_time_ns) return;
    if (claims.unasked_mac != arp.sender_mac) claims.unasked.clear();
    claims.unasked_mac = arp.sender_mac;
    forget_old(claims.unasked, arp.wall_ns, window_ns_, itself);
    claims.unasked.push_back(arp.wall_ns);
    if (claims.unasked.size() >= unasked_ && arp.wall_ns - claims.unasked.front() >= unasked_span_ns)
      notice(arp, claims.unasked.front(), Severity::medium, "claimed without being asked by", mac_text(arp.sender_mac),
             claims.unasked.size());
  }

  void note_mismatch(const ArpSight& arp) {
    if (is_virtual_router(arp.sender_mac) || is_virtual_router(arp.frame_source)) return;
    auto& forger = forgers_.touch(arp.frame_source);
    forget_old(forger.mismatches, arp.wall_ns, window_ns_, itself);
    forger.mismatches.push_back(arp.wall_ns);
    if (forger.mismatches.size() >= mismatches_)
      notice(arp, forger.mismatches.front(), Severity::medium, "claimed in frames of another MAC,",
             mac_text(arp.frame_source), forger.mismatches.size());
  }

  /// One forger is one event, whatever he does: by the MAC that sends. Of two that claim in turn nobody knows which is
  /// the forger, so an event of either is the same.
  void notice(const ArpSight& arp, std::int64_t first_ns, Severity severity, const char* what, const std::string& by,
              std::size_t times) {
    auto key = MacHash{}(arp.frame_source);
    auto* claims = claims_.find(arp.sender_address);
    if (!incidents_.goes_on(key) && claims) {
      const auto other = MacHash{}(claims->previous);
      if (incidents_.goes_on(claims->event_key))
        key = claims->event_key;
      else if (claims->previous != Mac{} && incidents_.goes_on(other))
        key = other;
    }
    if (claims) claims->event_key = key;
    incidents_.notice(key, arp.wall_ns, first_ns, [&](SecurityEvent& event) {
      const auto address = address_text(arp.sender_address);
      const bool is_new = std::ranges::find(event.whom, address) == event.whom.end();
      if (is_new && event.whom.size() < most_addresses) event.whom.push_back(address);
      if (is_new) event.targets = std::max<std::uint64_t>(event.targets + 1, event.whom.size());
      event.kind = SecurityKind::arp_spoof;
      event.severity = std::max(event.severity, severity);
      event.interface = arp.interface;
      event.sources = 1;
      event.who = {mac_text(arp.frame_source)};
      event.summary = fmt::format("{} {} {}", address, what, by);
      event.evidence = {{"mac", mac_text(arp.sender_mac)},
                        {"frame_source", mac_text(arp.frame_source)},
                        {"times", std::to_string(times)}};
    });
  }

  std::int64_t window_ns_;
  std::size_t turns_, unasked_, owners_, mismatches_;
  Bounded<Address, Claims, AddressHash> claims_;
  Bounded<Mac, Forger, MacHash> forgers_;
  Incidents incidents_;
};

}  // namespace

std::unique_ptr<Detector> make_arp_detector(const Context& context) { return std::make_unique<ArpDetector>(context); }

}  // namespace sonde::detect
