// SPDX-License-Identifier: Apache-2.0
// Answers attacks with rules of the guard, and knows that a blocked attack is not seen any more.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "detect/detector.hpp"
#include "sonde/guard.hpp"
#include "sonde/result.hpp"
#include "watch/local_addresses.hpp"

namespace sonde::watch {

/// What the responder asks of the guard.
struct GuardCalls {
  /// Adds the rule; gives its id.
  std::function<Result<std::uint64_t>(const GuardRule& rule)> add;
  /// What the rules have dropped so far, by id; without those that are gone.
  std::function<Result<std::map<std::uint64_t, GuardCount>>()> hits;
};

struct ResponderOptions {
  std::chrono::nanoseconds ttl{};
  bool dry_run = false;
};

/// Between the detectors and the output. An event whose address can be blocked is answered once, when it starts; what
/// this host does itself, and what comes from forged or too many sources, is only shown.
///
/// The guard drops before flows are counted, so the detectors see a blocked attack end. Such an end is held back while
/// the rule goes on dropping; what is shown instead is how it goes on. It is over when the rule has dropped nothing for
/// 30 seconds, or is gone: if the attack is not, it is found anew and blocked anew, as another event.
class Responder {
 public:
  /// `local` must outlive it.
  Responder(GuardCalls guard, ResponderOptions options, const LocalAddresses& local)
      : guard_(std::move(guard)), options_(options), local_(local) {}

  /// Shows the event, with what was done about it, or holds it back.
  void take(SecurityEvent event, const detect::Report& show);
  /// Looks after the events that are held back. Wall time, as of the events.
  void advance(std::int64_t wall_ns, const detect::Report& show);
  /// Nothing more will come: shows what is held back.
  void finish(std::int64_t wall_ns, const detect::Report& show);

  /// Events that were answered by a rule.
  [[nodiscard]] std::uint64_t blocked() const { return blocked_; }

 private:
  struct Blocked {
    std::uint64_t rule = 0;
    GuardCount hits;                     ///< when they were looked at last
    std::int64_t hit_ns = 0;             ///< when they were last seen to have grown
    std::int64_t shown_ns = 0;           ///< last state that was shown
    std::optional<SecurityEvent> ended;  ///< held back
  };

  void respond(SecurityEvent& event);
  [[nodiscard]] Result<GuardRule> rule_for(const SecurityEvent& event) const;
  void read_hits(std::int64_t wall_ns);
  void look_after(Blocked& blocked, std::int64_t wall_ns, const detect::Report& show);
  static void add_hits(SecurityEvent& event, const Blocked& blocked);

  GuardCalls guard_;
  ResponderOptions options_;
  const LocalAddresses& local_;
  std::map<std::uint64_t, Blocked> events_;  ///< by id, those that were blocked and go on
  std::int64_t next_look_ns_ = 0;
  std::uint64_t blocked_ = 0;
};

}  // namespace sonde::watch
