// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "export/events/connection.hpp"
#include "export/events/connection_text.hpp"
#include "export/events/latency_histogram.hpp"
#include "export/events/owner.hpp"
#include "export/events/sinks.hpp"
#include "export/json/summary.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;

struct Sums {
  std::uint64_t opened = 0;
  std::uint64_t failed = 0;
  std::uint64_t closed = 0;
  std::uint64_t bytes_sent = 0;      ///< of the closed ones
  std::uint64_t bytes_received = 0;  ///< likewise
  std::uint64_t retransmissions = 0;

  void add(const Connection& connection) {
    opened += connection.event == ConnectionEvent::opened ? 1 : 0;
    failed += connection.event == ConnectionEvent::failed ? 1 : 0;
    if (connection.event != ConnectionEvent::opened) retransmissions += connection.retransmissions;
    if (connection.event != ConnectionEvent::closed) return;
    ++closed;
    bytes_sent += connection.bytes_sent;
    bytes_received += connection.bytes_received;
  }

  [[nodiscard]] std::uint64_t events() const { return opened + failed + closed; }
};

using Group = std::pair<std::string, Sums>;

/// Bounded: what comes after the bound is added up as "others".
class Groups {
 public:
  void add(const std::string& name, const Connection& connection) {
    auto found = groups_.find(name);
    if (found == groups_.end()) found = groups_.try_emplace(groups_.size() < capacity ? name : "others").first;
    found->second.add(connection);
  }

  /// Those with most events first.
  [[nodiscard]] std::vector<Group> sorted() const {
    std::vector<Group> sorted(groups_.begin(), groups_.end());
    std::ranges::stable_sort(sorted, std::greater{}, [](const Group& group) { return group.second.events(); });
    return sorted;
  }

 private:
  static constexpr std::size_t capacity = 10'000;
  std::map<std::string, Sums> groups_;
};

class Summary {
 public:
  void add(const Connection& connection) {
    processes_.add(owner_text(connection.owner), connection);
    peers_.add(connection.socket.remote.address_text(), connection);
    if (connection.end != ConnectionEnd::none) ++ends_[connection.end];
    if (connection.event == ConnectionEvent::opened && connection.connect_latency)
      latencies_.add(static_cast<std::uint64_t>(connection.connect_latency->count()));
  }

  [[nodiscard]] std::string text() const;
  [[nodiscard]] Json json() const;

 private:
  Groups processes_;
  Groups peers_;
  std::map<ConnectionEnd, std::uint64_t> ends_;
  LatencyHistogram latencies_;
};

constexpr std::size_t most_rows = 20;

std::string group_table(const char* heading, const std::vector<Group>& groups) {
  auto table = fmt::format("{:<40} {:>8} {:>8} {:>8} {:>10} {:>10} {:>8}\n", heading, "opened", "failed", "closed",
                           "sent", "received", "retrans");
  for (const auto& [name, sums] : std::span(groups).first(std::min(groups.size(), most_rows)))
    table += fmt::format("{:<40} {:>8} {:>8} {:>8} {:>10} {:>10} {:>8}\n", name, sums.opened, sums.failed, sums.closed,
                         bytes_text(sums.bytes_sent), bytes_text(sums.bytes_received), sums.retransmissions);
  if (groups.size() > most_rows) table += fmt::format("and {} more\n", groups.size() - most_rows);
  return table + "\n";
}

Json group_array(const char* name_member, const std::vector<Group>& groups) {
  auto array = Json::array();
  for (const auto& [name, sums] : groups)
    array.push_back({{name_member, name},
                     {"opened", sums.opened},
                     {"failed", sums.failed},
                     {"closed", sums.closed},
                     {"bytes_sent", sums.bytes_sent},
                     {"bytes_received", sums.bytes_received},
                     {"retransmissions", sums.retransmissions}});
  return array;
}

std::string latency_text(const LatencyHistogram& latencies) {
  if (latencies.count() == 0) return "connect latency: no connection was opened from here\n";
  const auto text = [](std::uint64_t ns) {
    return time_span_text(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
  };
  return fmt::format("connect latency of {}: min {}, median {}, max {}\n", latencies.count(), text(latencies.min()),
                     text(latencies.median()), text(latencies.max()));
}

std::string Summary::text() const {
  auto text = group_table("process", processes_.sorted()) + group_table("peer", peers_.sorted());
  text += fmt::format("{:<40} {:>8}\n", "end", "count");
  for (const auto& [end, count] : ends_) text += fmt::format("{:<40} {:>8}\n", end_text(end), count);
  return text + "\n" + latency_text(latencies_);
}

Json Summary::json() const {
  Json object{{"processes", group_array("process", processes_.sorted())},
              {"peers", group_array("peer", peers_.sorted())},
              {"ends", Json::object()}};
  for (const auto& [end, count] : ends_) object["ends"][connection_end_name(end)] = count;
  if (latencies_.count() != 0)
    object["connect_latency_ns"] = {{"count", latencies_.count()},
                                    {"min", latencies_.min()},
                                    {"median", latencies_.median()},
                                    {"max", latencies_.max()}};
  return object;
}

// The members of every summary, then these.
std::string json_report(const Summary& summary, const pipeline::EventTotals& totals) {
  auto object = Json::parse(summary_json(totals));
  object.update(summary.json());
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::unique_ptr<pipeline::EventSink<Connection>> make_connection_summary(Output output, bool json) {
  auto summary = std::make_shared<Summary>();
  return std::make_unique<ReportSink<Connection>>(
      std::move(output), [summary](const Connection& connection) { summary->add(connection); },
      [summary, json](const pipeline::EventTotals& totals) {
        return json ? json_report(*summary, totals) : summary->text();
      });
}

}  // namespace sonde::exporter
