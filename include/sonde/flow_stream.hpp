// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sonde/export.hpp"
#include "sonde/flow.hpp"
#include "sonde/flows.hpp"
#include "sonde/loss.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde {

/// A flow when it ends, and every active timeout while it goes on. The deltas of all records of a flow add up to its
/// counts.
struct FlowRecord {
  Flow flow;                          ///< as it is now, since its first packet
  std::array<PacketCount, 2> delta;   ///< since the record before; [0] sent by the opener
  std::int64_t delta_from_wall_ns{};  ///< no packet of the delta is older; of a first record: the flow's first packet
  std::uint32_t ifindex = 0;          ///< 0: a group of interfaces
  std::array<bool, 2> received{};     ///< packets of the opener, of the responder came in by the interface
  std::array<bool, 2> sent{};         ///< likewise: went out
};

/// What flows are put together by.
enum class FlowGrouping : std::uint8_t {
  flow,              ///< nothing: each by itself
  process,           ///< of the local end; between two processes of this host a packet counts with the one that sent it
  container,         ///< likewise
  source,            ///< address of the opener
  destination,       ///< address of the responder
  destination_port,  ///< protocol and port of the responder
  protocol,          ///< IP protocol
  country,           ///< of the end that is not this host; of the responder where that cannot be told
};

/// What comes first; the most of it.
enum class FlowOrder : std::uint8_t { bytes, packets, rate, rtt, retransmissions };

/// A flow or a group in a table.
struct FlowRow {
  std::string name;          ///< of the group: "nginx[4711]", "192.0.2.1", "TCP 443", "DE"; empty: a flow
  std::optional<Flow> flow;  ///< only of FlowGrouping::flow
  std::uint64_t flows = 1;   ///< that had packets in the interval, or ended
  /// Packets in the interval. Of a flow [0] is what the opener sent, [1] the responder; of a group [0] is what its end
  /// sent, [1] what it received, and where no end is its own (protocol) as of a flow.
  std::array<PacketCount, 2> interval{};
  std::array<PacketCount, 2> total{};               ///< since the flow, or sonde's knowledge of the group, began
  std::uint64_t retransmissions = 0;                ///< likewise, both directions
  std::optional<std::chrono::microseconds> rtt;     ///< SYN to ACK; of a group the mean of its flows that had one
  std::optional<std::chrono::nanoseconds> lasting;  ///< of a flow: first to last packet
};

/// What an interval was like: the rows that come first, and all others added up.
struct FlowTable {
  std::int64_t wall_ns = 0;             ///< end of the interval
  std::chrono::nanoseconds interval{};  ///< its length
  FlowGrouping by = FlowGrouping::flow;
  FlowOrder order = FlowOrder::rate;
  std::vector<FlowRow> rows;
  std::uint64_t more = 0;  ///< flows or groups of the interval that are not in rows
  /// These added up: rows and others make up the interval to the packet. Of flows, total has both directions in [0].
  FlowRow others;
  std::uint64_t flows = 0;        ///< that had packets in the interval, or ended
  std::uint64_t new_flows = 0;    ///< of these, seen for the first time
  std::uint64_t ended_flows = 0;  ///< of these, ended
  PacketCount interval_total;     ///< of the interval
  PacketCount total;              ///< since the start
  LossReport loss;                ///< since the start, as far as it is known now
};

/// Part of the wanted packets that are counted in flows; 1 when there were none.
[[nodiscard]] SONDE_EXPORT double flow_coverage(const LossReport& loss);

struct FlowTableStyle {
  std::uint32_t width = 0;  ///< columns; what does not fit is left out from the right. 0: no limit
  bool color = false;       ///< ANSI colours
  bool date = false;        ///< the time with its date
};
/// The table for people: a line of totals, one of coverage and loss, the heading, the rows, what more there is.
[[nodiscard]] SONDE_EXPORT std::string flow_table_text(const FlowTable& table, const FlowTableStyle& style);

struct FlowStreamOptions {
  FlowOptions flows;
  std::string output = "text";  ///< text, json, ipfix; empty: only the handlers
  std::string by = "flow";      ///< flow, process, container, src, dst, dst-port, protocol, country
  std::string sort = "rate";    ///< bytes, packets, rate, rtt, retrans
  std::uint32_t top = 20;       ///< rows of a table; 0: as many as there are groups, of flows 65,536
  /// How often a table is made and flows are looked at. Unset: every second; for tables of a file: one at its end.
  std::optional<std::chrono::nanoseconds> interval;
  std::chrono::nanoseconds duration{};  ///< end after this time; 0: no limit
  std::string country_file;             ///< for by = "country": .mmdb file
  std::string export_to;                ///< for output = "ipfix": HOST:PORT, [ADDRESS]:PORT
  std::uint32_t observation_domain = 1;
  bool color = false;  ///< ANSI colours in text
};

struct FlowSummary {
  LossReport loss;                      ///< packets: hook, flows, filter (owners), output
  std::uint64_t flows = 0;              ///< that were seen
  std::uint64_t records = 0;            ///< that were output: flow records, groups, or rows
  PacketCount total;                    ///< counted in them
  std::chrono::nanoseconds duration{};  ///< of a file: from its first packet to its last
  std::optional<Error> error;           ///< what ended it before its time
};

/// Flows of this host's interfaces, or of a file, as they are and as they end. Making it attaches to the kernel;
/// destroying it, or the death of the process, detaches and leaves nothing behind.
///
///     auto flows = sonde::FlowStream::make({.output = ""}, {.record = [](const sonde::FlowRecord& record) { ... }});
///     if (!flows) return complain(flows.error().text());
///     auto summary = flows->run();   // until the duration, the file's end or flows->stop()
///
/// Memory: the table of the kernel (128 bytes a flow, max_flows), and here per flow that outlives the active timeout,
/// is retransmitted in, or is asked for its owner, at most 100 bytes; groups are at most 65,536, what is beyond counts
/// as others.
class SONDE_EXPORT FlowStream {
 public:
  /// Called by the thread of run(), beside the output. Each may be empty.
  struct Handlers {
    std::function<void(const FlowRecord&)> record;
    std::function<void(const FlowTable&)> table;
    std::function<void(const std::string&)> notice;  ///< what notices() has more than before run()
  };

  /// Checks every word, opens and attaches. ErrorKind::usage names the word.
  [[nodiscard]] static Result<FlowStream> make(const FlowStreamOptions& options, Handlers handlers = {});

  FlowStream(FlowStream&&) noexcept;
  FlowStream& operator=(FlowStream&&) noexcept;
  ~FlowStream();

  /// Which source was taken and why, what the user should know. Grows at its end.
  [[nodiscard]] std::vector<std::string> notices() const;
  /// Blocks until the duration, the file's end or stop(); then every flow ends and is given. Call once.
  [[nodiscard]] FlowSummary run();
  /// Ends run(). Safe from any thread and from a signal handler.
  void stop() noexcept;
  /// Rows of the tables from now on. Safe from any thread.
  void set_top(std::uint32_t rows) noexcept;

 private:
  struct State;
  explicit FlowStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde
