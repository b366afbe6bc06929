// SPDX-License-Identifier: Apache-2.0
#include "flows/flows.hpp"

#include <fmt/format.h>

#include <memory>

#include "flows/options.hpp"
#include "ledger.hpp"
#include "screen.hpp"
#include "signals.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde::cli {
namespace {

// Lines of the table that are no rows: totals, coverage, empty, heading, what more there is, and the last row of the
// terminal.
constexpr std::uint32_t lines_around_rows = 6;

std::uint32_t rows_that_fit(const ScreenSize& size) {
  return size.rows > lines_around_rows ? size.rows - lines_around_rows : 1;
}

void print_summary(const Environment& env, const FlowSummary& summary) {
  env.err << fmt::format("\n{} flows, {} packets, {} bytes in {:.1f} s\n", summary.flows, summary.total.packets,
                         summary.total.bytes, std::chrono::duration<double>(summary.duration).count());
  print_ledger(env.err, summary.loss);
  env.err.flush();
}

int finish(const Environment& env, const FlowSummary& summary) {
  print_summary(env, summary);
  return summary.error ? report(env, *summary.error) : static_cast<int>(well);
}

int print(const Environment& env, const FlowStreamOptions& options) {
  const auto tell = [&](const std::string& notice) { print_notices(env.err, {notice}); };
  auto stream = FlowStream::make(options, {.record = {}, .table = {}, .notice = tell});
  if (!stream) return report(env, stream.error());
  const StopOnSignals signals(*stream);
  print_notices(env.err, stream->notices());
  return finish(env, stream->run());
}

// What is told meanwhile would spoil the screen: it is told when that is gone, with the last table.
int draw(const Environment& env, const ParsedFlows& parsed) {
  std::vector<std::string> notices;
  std::unique_ptr<Screen> screen;
  FlowStream* running = nullptr;
  FlowTable last;
  FlowTableStyle style{.width = 0, .color = parsed.options->color};
  const auto draw_table = [&](const FlowTable& table) {
    const auto size = screen->size();
    style.width = size.columns;
    screen->draw(flow_table_text(table, style));
    if (parsed.fits_top) running->set_top(rows_that_fit(size));
    last = table;
  };
  auto options = *parsed.options;
  if (parsed.fits_top) options.top = rows_that_fit(screen_size(1));
  const auto keep = [&](const std::string& notice) { notices.push_back(notice); };
  auto stream = FlowStream::make(options, {.record = {}, .table = draw_table, .notice = keep});
  if (!stream) return report(env, stream.error());
  running = &*stream;
  print_notices(env.err, stream->notices());
  screen = std::make_unique<Screen>([running] { running->stop(); });
  const auto summary = stream->run();
  screen.reset();
  env.out << flow_table_text(last, style);
  env.out.flush();
  print_notices(env.err, notices);
  return finish(env, summary);
}

}  // namespace

int flows(const Environment& env, std::vector<std::string> arguments) {
  const auto parsed = parse_flows(env, std::move(arguments));
  if (!parsed.options) return parsed.status;
  return parsed.screen ? draw(env, parsed) : print(env, *parsed.options);
}

}  // namespace sonde::cli
