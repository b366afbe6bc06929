// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "export/events/owner.hpp"
#include "export/events/retransmission.hpp"
#include "export/events/retransmission_text.hpp"
#include "export/events/sinks.hpp"
#include "export/json/summary.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;
using Kind = RetransmissionKind;

constexpr std::size_t kind_count = static_cast<std::size_t>(Kind::untold) + 1;

/// Segments by kind. Those that had no event of their own count as untold.
struct Sums {
  std::array<std::uint64_t, kind_count> kinds{};
  std::uint64_t lost_here = 0;  ///< of these, lost on this host

  void add(const Retransmission& event) {
    (*this)[event.kind] += event.kind == Kind::spurious ? event.spurious : event.segments;
    (*this)[Kind::untold] += event.unreported;
    if (event.local_drop) lost_here += event.segments;
  }

  [[nodiscard]] std::uint64_t& operator[](Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] std::uint64_t operator[](Kind kind) const { return kinds[static_cast<std::size_t>(kind)]; }

  /// As TcpRetransSegs counts: what was needless has been counted when it was sent.
  [[nodiscard]] std::uint64_t segments() const {
    std::uint64_t sum = 0;
    for (const auto count : kinds) sum += count;
    return sum - (*this)[Kind::spurious];
  }
};

using Group = std::pair<std::string, Sums>;

/// Bounded: what comes after the bound is added up as "others".
class Groups {
 public:
  void add(const std::string& name, const Retransmission& event) {
    auto found = groups_.find(name);
    if (found == groups_.end()) found = groups_.try_emplace(groups_.size() < capacity ? name : "others").first;
    found->second.add(event);
  }

  /// Those with most segments first.
  [[nodiscard]] std::vector<Group> sorted() const {
    std::vector<Group> sorted(groups_.begin(), groups_.end());
    std::ranges::stable_sort(sorted, std::greater{}, [](const Group& group) {
      return std::pair(group.second.segments(), group.second[Kind::spurious]);
    });
    return sorted;
  }

 private:
  static constexpr std::size_t capacity = 10'000;
  std::map<std::string, Sums> groups_;
};

// The columns of the tables; the rest of the kinds are rare and stand in "other".
struct Column {
  const char* heading;
  std::uint64_t (*value)(const Sums&);
};

constexpr std::array<Column, 9> columns = {{
    {"segments", [](const Sums& sums) { return sums.segments(); }},
    {"RTO", [](const Sums& sums) { return sums[Kind::rto]; }},
    {"loss", [](const Sums& sums) { return sums[Kind::loss]; }},
    {"fast", [](const Sums& sums) { return sums[Kind::fast]; }},
    {"TLP", [](const Sums& sums) { return sums[Kind::tlp]; }},
    {"SYN", [](const Sums& sums) { return sums[Kind::syn] + sums[Kind::syn_ack]; }},
    {"other", [](const Sums& sums) { return sums[Kind::path_mtu] + sums[Kind::untold]; }},
    {"lost here", [](const Sums& sums) { return sums.lost_here; }},
    {"spurious", [](const Sums& sums) { return sums[Kind::spurious]; }},
}};

constexpr std::size_t most_rows = 20;

std::string table(const char* heading, const std::vector<Group>& groups) {
  auto text = fmt::format("{:<44}", heading);
  for (const auto& column : columns) text += fmt::format(" {:>9}", column.heading);
  text += "\n";
  for (std::size_t row = 0; row < std::min(groups.size(), most_rows); ++row) {
    text += fmt::format("{:<44}", groups[row].first);
    for (const auto& column : columns) text += fmt::format(" {:>9}", column.value(groups[row].second));
    text += "\n";
  }
  if (groups.size() > most_rows) text += fmt::format("and {} more\n", groups.size() - most_rows);
  return text;
}

Json array(const char* name_member, const std::vector<Group>& groups) {
  auto array = Json::array();
  for (const auto& [name, sums] : groups) {
    Json object{{name_member, name}, {"segments", sums.segments()}, {"lost_here", sums.lost_here}};
    for (std::size_t i = 0; i < kind_count; ++i)
      if (sums.kinds[i] != 0) object["kinds"][retransmission_kind_word(static_cast<Kind>(i))] = sums.kinds[i];
    array.push_back(std::move(object));
  }
  return array;
}

// Without the numbers that a single event has in its cause.
std::string cause_group(const Retransmission& event) {
  if (event.kind == Kind::spurious) return "needless: " + event.spurious_evidence;
  return event.kind == Kind::untold ? "untold" : retransmission_cause(event);
}

class Summary {
 public:
  void add(const Retransmission& event) {
    processes_.add(owner_text(event.owner), event);
    peers_.add(event.socket.remote.address_text(), event);
    causes_.add(cause_group(event), event);
    total_.add(event);
  }

  [[nodiscard]] std::string text() const {
    return table("process", processes_.sorted()) + "\n" + table("peer", peers_.sorted()) + "\n" +
           table("cause", causes_.sorted());
  }

  // The members of every summary, then these.
  [[nodiscard]] std::string json(const pipeline::EventTotals& totals) const {
    auto object = Json::parse(summary_json(totals));
    object["segments"] = total_.segments();
    object["processes"] = array("process", processes_.sorted());
    object["peers"] = array("peer", peers_.sorted());
    object["causes"] = array("cause", causes_.sorted());
    return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

 private:
  Groups processes_;
  Groups peers_;
  Groups causes_;
  Sums total_;
};

}  // namespace

std::unique_ptr<pipeline::EventSink<Retransmission>> make_retransmission_summary(Output output, bool json) {
  auto summary = std::make_shared<Summary>();
  return std::make_unique<ReportSink<Retransmission>>(
      std::move(output), [summary](const Retransmission& event) { summary->add(event); },
      [summary, json](const pipeline::EventTotals& totals) { return json ? summary->json(totals) : summary->text(); });
}

}  // namespace sonde::exporter
