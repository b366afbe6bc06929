// SPDX-License-Identifier: Apache-2.0
// flow_table_text() of include/sonde/flow_stream.hpp: the table for people.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "export/clock.hpp"
#include "export/events/connection_text.hpp"
#include "export/flows/columns.hpp"
#include "export/flows/words.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde {
namespace {

using exporter::FlowColumn;

constexpr const char* bold = "\033[1m";
constexpr const char* alert = "\033[1;31m";
constexpr const char* plain = "\033[0m";

struct Column {
  const FlowColumn* column = nullptr;
  std::string heading;
  std::vector<std::string> cells;
  std::size_t width = 0;
};

const char* group_heading(FlowGrouping grouping) {
  static constexpr std::array headings{"",          "process",  "container", "opener",
                                       "responder", "dst port", "protocol",  "country"};
  return headings.at(static_cast<std::size_t>(grouping));
}

std::string clock_text(std::int64_t wall_ns, bool date) {
  exporter::TimeText time(date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", exporter::TimeText::Zone::local);
  std::array<char, exporter::TimeText::max_size> text;
  const std::string_view all(text.data(), time.append(text.data(), wall_ns));
  return std::string(all.substr(0, all.find('.')));
}

std::string per_second(double count, std::chrono::nanoseconds time) {
  const double seconds = std::chrono::duration<double>(time).count();
  return seconds > 0 ? exporter::scaled_text(count / seconds) : "-";
}

std::string totals_line(const FlowTable& table, bool date) {
  const double seconds = std::chrono::duration<double>(table.interval).count();
  return fmt::format("{}  {} flows in {:.1f} s ({} new, {} ended)  {} packet/s  {} bit/s",
                     clock_text(table.wall_ns, date), table.flows, seconds, table.new_flows, table.ended_flows,
                     per_second(static_cast<double>(table.interval_total.packets), table.interval),
                     exporter::rate_text(table.interval_total.bytes, table.interval));
}

std::string coverage_line(const FlowTable& table) {
  auto line =
      fmt::format("since the start {} packets, {}", table.total.packets, exporter::bytes_text(table.total.bytes));
  const auto lost = table.loss.lost();
  // Rounded down: 100.00 % is said of nothing less.
  const double percent = std::floor(flow_coverage(table.loss) * 10'000) / 100;
  line += fmt::format("  coverage {:.2f} %, {} lost", percent, lost);
  for (const auto& stage : table.loss.stages)
    if (stage.lost > 0)
      line += fmt::format("  [{}: {}{}]", stage.name, stage.lost, stage.note.empty() ? "" : ", " + stage.note);
  return line;
}

std::vector<Column> make_columns(const FlowTable& table) {
  const bool flows = table.by == FlowGrouping::flow;
  std::vector<Column> columns;
  for (const auto& one : flows ? exporter::flow_columns() : exporter::group_columns()) {
    Column column{&one, *one.heading == '\0' ? group_heading(table.by) : one.heading, {}, 0};
    column.width = column.heading.size();
    for (const auto& row : table.rows) {
      column.cells.push_back(one.cell(table, row));
      column.width = std::max(column.width, column.cells.back().size());
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

std::size_t width_of(const std::vector<Column>& columns) {
  std::size_t width = 0;
  for (const auto& column : columns) width += column.width + 2;
  return width < 2 ? 0 : width - 2;
}

// The last column may be cut; before that the columns that weigh least go.
void fit(std::vector<Column>& columns, std::size_t width) {
  constexpr std::size_t shortest_last = 12;
  while (width > 0 && columns.size() > 1) {
    const auto& last = columns.back();
    const std::size_t cut = last.column->right || last.width < shortest_last ? 0 : last.width - shortest_last;
    if (width_of(columns) - cut <= width) return;
    columns.erase(std::ranges::min_element(columns, {}, [](const Column& column) { return column.column->weight; }));
  }
}

// "+" where something was cut off, as in ps(1).
std::string cut(std::string line, std::size_t width) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
  if (width == 0 || line.size() <= width) return line;
  line.resize(width - 1);
  return line + '+';
}

template <class Text>
std::string line_of(const std::vector<Column>& columns, std::size_t width, Text text) {
  std::string line;
  for (const auto& column : columns) {
    if (!line.empty()) line += "  ";
    line += column.column->right ? fmt::format("{:>{}}", text(column), column.width)
                                 : fmt::format("{:<{}}", text(column), column.width);
  }
  return cut(std::move(line), width);
}

std::string more_line(const FlowTable& table) {
  const PacketCount rest{table.others.interval[0].packets + table.others.interval[1].packets,
                         table.others.interval[0].bytes + table.others.interval[1].bytes};
  const char* what = table.by == FlowGrouping::flow ? "flows" : "groups";
  return fmt::format("{} more {}: {} packets, {} in the interval", table.more, what, rest.packets,
                     exporter::bytes_text(rest.bytes));
}

std::string styled(const FlowTableStyle& style, const char* sequence, const std::string& line) {
  return (style.color ? sequence + line + plain : line) + "\n";
}

}  // namespace

double flow_coverage(const LossReport& loss) {
  std::uint64_t wanted = 0, lost = 0;
  for (const auto& stage : loss.stages) {
    if (stage.name == "output") break;
    lost += stage.lost;
    wanted = stage.given;
  }
  return wanted + lost == 0 ? 1 : static_cast<double>(wanted) / static_cast<double>(wanted + lost);
}

std::string flow_table_text(const FlowTable& table, const FlowTableStyle& style) {
  auto columns = make_columns(table);
  fit(columns, style.width);
  std::string text = styled(style, bold, cut(totals_line(table, style.date), style.width));
  text += styled(style, table.loss.lost() > 0 ? alert : "", cut(coverage_line(table), style.width));
  text +=
      "\n" + styled(style, bold, line_of(columns, style.width, [](const Column& column) { return column.heading; }));
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    text += line_of(columns, style.width, [&](const Column& column) { return column.cells[row]; }) + "\n";
  if (table.more > 0) text += cut(more_line(table), style.width) + "\n";
  return text;
}

}  // namespace sonde
