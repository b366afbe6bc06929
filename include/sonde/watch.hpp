// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sonde/export.hpp"
#include "sonde/flows.hpp"
#include "sonde/loss.hpp"
#include "sonde/result.hpp"
#include "sonde/security.hpp"

namespace sonde {

/// The packets of an event as evidence.
struct EvidenceOptions {
  std::string directory;          ///< a pcapng file an event; must exist. Empty: none
  std::uint64_t packets = 10000;  ///< at most so many in a file
  std::uint32_t snaplen = 512;    ///< bytes of a packet, at most 65535
  std::uint32_t files = 100;      ///< at most so many; events beyond have none, and a notice tells
};

/// What is done when an event starts.
struct ResponseOptions {
  /// print: events say how to stop what they tell of; block: and it is done, by a rule of the guard on the watched
  /// interfaces, once an event. Never blocked: addresses of this host or in `local`, and what the guard's never-block
  /// list has.
  std::string mode = "print";
  std::chrono::nanoseconds ttl{std::chrono::minutes(10)};  ///< of the rule
  bool dry_run = false;                                    ///< the rule only counts what it would have dropped
};

struct WatchOptions {
  FlowOptions flows;
  SecurityConfig config;
  std::chrono::nanoseconds interval{std::chrono::milliseconds(500)};  ///< how often flows are looked at
  /// Networks that are this host's, beside the addresses of its interfaces. Of a file: without them an end is local if
  /// the file says that all its packets went out.
  std::vector<std::string> local;
  std::string country_file;                ///< .mmdb; empty: countries are not known
  Severity min_severity = Severity::info;  ///< events below are counted and not shown
  std::vector<SecurityKind> kinds;         ///< empty: all; others are counted and not shown
  std::string output = "text";             ///< text, json; empty: only the handler
  bool color = false;                      ///< ANSI colours in text
  std::uint64_t count = 0;                 ///< end when so many events have started; 0: no limit
  std::chrono::nanoseconds duration{};     ///< end after this time; 0: no limit
  EvidenceOptions evidence;
  ResponseOptions response;
};

struct WatchSummary {
  LossReport loss;             ///< packets: hook, flows, detect
  std::uint64_t flows = 0;     ///< that the detectors were shown
  std::uint64_t events = 0;    ///< attacks that started and were shown
  std::uint64_t left_out = 0;  ///< that started and were not shown (min_severity, kinds)
  std::uint64_t blocked = 0;   ///< events that were answered with a rule of the guard
  std::chrono::nanoseconds duration{};
  std::optional<Error> error;  ///< what ended it before its time
};

/// Looks for attacks and other things that should not be, in the flows of this host's interfaces or of a file. Looking
/// changes nothing; a response of "block" adds rules to the guard, which expire by themselves and outlive the watch.
///
///     sonde::WatchOptions options{.output = ""};
///     options.config.set("scan.ports", "30");
///     auto watch = sonde::Watch::make(options, [](const sonde::SecurityEvent& event) { ... });
///     if (!watch) return complain(watch.error().text());
///     auto summary = watch->run();   // until a limit, the file's end or watch->stop()
///
/// A rule of the guard drops before flows are counted: a blocked attack is not seen any more. As long as its rule drops
/// packets the event goes on all the same; it ends when the rule has dropped nothing for half a minute, or has expired
/// without the attack being seen again.
class SONDE_EXPORT Watch {
 public:
  using Handler = std::function<void(const SecurityEvent&)>;

  /// Checks every word, opens and attaches. ErrorKind::usage names the word. `handler` is called by the thread of
  /// run().
  [[nodiscard]] static Result<Watch> make(const WatchOptions& options, Handler handler = {});

  Watch(Watch&&) noexcept;
  Watch& operator=(Watch&&) noexcept;
  ~Watch();

  /// Which source was taken and why, what the user should know. Grows at its end.
  [[nodiscard]] std::vector<std::string> notices() const;
  /// Blocks until a limit, the file's end or stop(); then what goes on ends. Call once.
  [[nodiscard]] WatchSummary run();
  /// Ends run(). Safe from any thread and from a signal handler.
  void stop() noexcept;

 private:
  struct State;
  explicit Watch(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The words of SecurityKind and Severity. ErrorKind::usage names the word and lists them.
[[nodiscard]] SONDE_EXPORT Result<SecurityKind> parse_security_kind(std::string_view word);
[[nodiscard]] SONDE_EXPORT Result<Severity> parse_severity(std::string_view word);

}  // namespace sonde
