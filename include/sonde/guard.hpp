// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sonde/abi/packet.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/export.hpp"
#include "sonde/loss.hpp"
#include "sonde/result.hpp"

namespace sonde {

/// In the order in which they are asked: the first class with a rule that matches decides, whatever the others say.
enum class GuardVerdict : std::uint8_t {
  never_block,   ///< passes; also keeps `default drop` away
  allow,         ///< passes
  block,         ///< dropped
  limit,         ///< passes up to the rate, by source address; dropped above it
  default_drop,  ///< dropped unless one of the above says otherwise: the default policy with its scope
};

enum class GuardDirection : std::uint8_t { in /**< received; the peer is the source */, out, both };

/// An address block. length counts from the first bit of the 16 bytes, so an IPv4 /24 has 120; 0 with `any`: every
/// address of both families.
struct GuardNetwork {
  std::array<std::uint8_t, 16> address{};  ///< network byte order, host bits zero; IPv4 as ::ffff:a.b.c.d
  std::uint8_t length = 0;

  [[nodiscard]] bool any() const { return length == 0; }
  friend auto operator<=>(const GuardNetwork&, const GuardNetwork&) = default;
};

struct GuardPorts {
  std::uint16_t first = 0;  ///< host byte order
  std::uint16_t last = 65535;

  [[nodiscard]] bool any() const { return first == 0 && last == 65535; }
  friend auto operator<=>(const GuardPorts&, const GuardPorts&) = default;
};

/// One rule. All that it names must hold. A rule with ports matches only packets whose ports are in them: no later
/// fragment, no ICMP. A rule without matches these too.
struct GuardRule {
  std::uint64_t id = 0;  ///< given when it is added, never used again
  GuardVerdict verdict = GuardVerdict::block;
  GuardNetwork network;                  ///< of the peer
  std::optional<std::uint8_t> protocol;  ///< IP protocol number
  GuardPorts source_ports;               ///< as in the packet
  GuardPorts destination_ports;          ///< as in the packet
  GuardDirection direction = GuardDirection::in;
  bool dry_run = false;              ///< counts what it would decide, and decides nothing
  std::uint64_t rate = 0;            ///< limit: per second and source address
  bool rate_in_bytes = false;        ///< bytes, else packets
  std::uint64_t burst = 0;           ///< limit: what may come at once; 0: a second's worth
  std::int64_t expires_wall_ns = 0;  ///< 0: never
  std::string comment;
  std::string interface;  ///< default_drop: packets of this interface only; empty: of all that the guard is on

  /// As the words of the command line: "block 192.0.2.0/24 --protocol tcp --dst-port 443 --ttl 600s".
  /// An expiry is a TTL from `now_wall_ns` on, rounded up: to a second, to a millisecond
  /// up to ten seconds. 0: from now on.
  [[nodiscard]] SONDE_EXPORT std::string text(std::int64_t now_wall_ns = 0) const;
  /// The words without verdict, TTL and comment: "192.0.2.0/24 --protocol tcp --dst-port 443".
  [[nodiscard]] SONDE_EXPORT std::string what() const;
};

struct GuardCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

/// "never", "allow", "block", "limit", "default drop".
[[nodiscard]] SONDE_EXPORT const char* guard_verdict_name(GuardVerdict verdict);
/// An address, a CIDR of either family (host bits must be zero), or "any".
[[nodiscard]] SONDE_EXPORT Result<GuardNetwork> parse_guard_network(std::string_view word);
/// Rules as the command line writes them, one a line: "allow 10.0.0.0/8 --dst-port 443 # comment". Several addresses
/// give a rule each. A line that starts with an address is a rule of `bare`. "default drop [SCOPE]" is a default
/// policy; "default pass" is none. TTLs count from `now_wall_ns` on; 0: from now on. An error names line and word.
[[nodiscard]] SONDE_EXPORT Result<std::vector<GuardRule>> parse_guard_rules(std::string_view text,
                                                                            GuardVerdict bare = GuardVerdict::block,
                                                                            std::int64_t now_wall_ns = 0);
/// The same for the words of one command: {"block", "192.0.2.1", "192.0.2.7", "--ttl", "10m"}.
[[nodiscard]] SONDE_EXPORT Result<std::vector<GuardRule>> parse_guard_rule(std::span<const std::string> words,
                                                                           std::int64_t now_wall_ns = 0);

/// How a change is made.
struct GuardChangeOptions {
  bool force = false;           ///< also when it cuts off the caller's own connection
  bool plan_only = false;       ///< tells what would change, and changes nothing
  std::size_t most_lines = 20;  ///< of GuardChange::lines
};

/// What a change did, or would do.
struct GuardChange {
  std::uint64_t added = 0;
  std::uint64_t removed = 0;
  std::uint64_t changed = 0;  ///< kept with id and counters, with a new TTL, rate, burst or comment
  std::uint64_t kept = 0;
  std::uint64_t expired = 0;       ///< were over already, and are purged now
  std::vector<std::uint64_t> ids;  ///< add(): of each rule given, in order
  std::vector<std::string> lines;  ///< "+ block ...", "- allow ...", "~ limit ...": at most so many
  std::uint64_t lines_left_out = 0;
  std::vector<std::string> notices;  ///< what the user should know
};

struct GuardAttachOptions {
  /// Names. Empty: those that are guarded already; none yet: that of the default route.
  std::vector<std::string> interfaces;
  std::string mode = "auto";  ///< auto, native, generic, tc: how received packets are taken
  bool force = false;         ///< also when rules that are there cut off the caller's own connection
};

/// The guard on one interface.
struct GuardInterface {
  std::string name;                  ///< "" when it is gone
  std::uint32_t ifindex = 0;         ///< that it has, or had
  std::string receive;               ///< "native XDP", "generic XDP", "tcx", "clsact"
  std::string send;                  ///< "tcx", "clsact"
  std::vector<std::string> notices;  ///< attach(): why it is not a better way
  bool gone = false;                 ///< the interface does not exist any more; cleaned up by the next attach or detach
};

struct GuardEntry {
  GuardRule rule;
  GuardCount hits;    ///< what it decided; of a dry-run rule: would have decided; of a limit: what was above the rate
  GuardCount passed;  ///< of a limit: what was within the rate
};

/// Every packet at the hooks has one of these outcomes, so they add up to `packets`.
struct GuardOutcome {
  std::string name;  ///< "passed", "dropped-block", "spared-established" ...: docs/guard.md has them all
  bool dropped = false;
  GuardCount count;
};

struct GuardStats {
  std::vector<GuardInterface> interfaces;
  GuardCount packets;  ///< that came to the hooks
  std::vector<GuardOutcome> outcomes;
  std::vector<GuardEntry> rules;
  /// What rules had decided that are gone by now, by GuardVerdict; of limits what they let pass.
  std::array<GuardCount, 5> retired{};
  GuardCount retired_limited;    ///< what limits that are gone had dropped
  std::uint64_t unlimited = 0;   ///< packets that passed a limit because its table of addresses was full
  std::uint64_t moving = 0;      ///< packets that came while this was read
  std::uint64_t rule_bytes = 0;  ///< memory of the rules in the kernel
  std::int64_t wall_ns = 0;      ///< when it was read

  /// By rule, what is gone included, and by outcome it is the same number, but for the packets that came meanwhile.
  [[nodiscard]] SONDE_EXPORT bool balanced() const;
};

/// The guard of the network namespace of the thread that opens it. It lives in the kernel, pinned in one directory
/// under bpffs, and not in this object or process: rules hold until they expire, are removed, or detach(). Every call
/// takes the directory's lock, so programs that use it at the same time wait for one another. A call that is
/// interrupted, even by SIGKILL, leaves the rules as they were or as they should be.
///
///     auto guard = sonde::Guard::open();
///     auto rules = sonde::parse_guard_rules("block 192.0.2.7 --ttl 10m");
///     if (auto done = guard->add(*rules); !done) complain(done.error().text());
class SONDE_EXPORT Guard {
 public:
  /// Touches nothing yet. ErrorKind::unsupported where there is no bpffs and none may be mounted.
  [[nodiscard]] static Result<Guard> open();

  Guard(Guard&&) noexcept;
  Guard& operator=(Guard&&) noexcept;
  ~Guard();

  /// Loads the programs, or exchanges those that are there without a gap, and attaches them to the interfaces. Rules
  /// and counters stay. Gives the interfaces of the call.
  [[nodiscard]] Result<std::vector<GuardInterface>> attach(const GuardAttachOptions& options = {});
  /// Detaches from these interfaces. Empty: from all, and removes rules and pins. False: it was not attached.
  [[nodiscard]] Result<bool> detach(const std::vector<std::string>& interfaces = {});

  // All below fail with a hint where the guard is not attached. A change that cuts off the connection that the caller
  // works over (SSH) is an ErrorKind::failed which names rule and connection, unless forced.

  /// Adds rules. One that is there already (same verdict, network, protocol, ports, direction, dry_run, interface)
  /// keeps its id and its counters, and takes TTL, rate, burst and comment of the new one.
  [[nodiscard]] Result<GuardChange> add(std::span<const GuardRule> rules, const GuardChangeOptions& options = {});
  /// An id or a rule that is not there is an error, and then nothing is removed.
  [[nodiscard]] Result<GuardChange> remove(std::span<const std::uint64_t> ids, std::span<const GuardRule> rules = {},
                                           const GuardChangeOptions& options = {});
  /// Makes these the rules, all at once. Those that are there already keep their ids and counters.
  [[nodiscard]] Result<GuardChange> apply(std::span<const GuardRule> rules, const GuardChangeOptions& options = {});
  /// No rules; the programs stay.
  [[nodiscard]] Result<GuardChange> clear(const GuardChangeOptions& options = {});

  /// Rules that have not expired, in the order of their ids.
  [[nodiscard]] Result<std::vector<GuardEntry>> list() const;
  [[nodiscard]] Result<GuardStats> stats() const;

  /// "/sys/fs/bpf/sonde/guard/netns-1"
  [[nodiscard]] const std::string& directory() const;

 private:
  struct State;
  explicit Guard(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct GuardLogOptions {
  std::uint64_t sample = 1;             ///< one packet in so many
  std::vector<GuardVerdict> verdicts;   ///< empty: blocked, limited and dropped by default
  std::vector<std::uint64_t> rules;     ///< ids; empty: all
  std::string output = "text";          ///< text, json; empty: none
  std::string write_file;               ///< pcapng of what was dropped ("-": standard output); empty: none
  std::uint64_t count = 0;              ///< end after so many; 0: no limit
  std::chrono::nanoseconds duration{};  ///< end after this time; 0: no limit
};

struct GuardLogSummary {
  std::uint64_t events = 0;  ///< that were output
  LossReport loss;
  std::chrono::nanoseconds duration{};
  std::optional<Error> error;  ///< what ended it before its time
};

/// Verdicts as they happen. One reader at a time.
class SONDE_EXPORT GuardLog {
 public:
  [[nodiscard]] static Result<GuardLog> make(const GuardLogOptions& options);

  GuardLog(GuardLog&&) noexcept;
  GuardLog& operator=(GuardLog&&) noexcept;
  ~GuardLog();

  /// Blocks until a limit or stop(). Call once.
  [[nodiscard]] GuardLogSummary run();
  /// Ends run(). Safe from any thread and from a signal handler.
  void stop() noexcept;

 private:
  struct State;
  explicit GuardLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde
