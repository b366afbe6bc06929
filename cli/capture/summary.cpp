// SPDX-License-Identifier: Apache-2.0
#include "capture/summary.hpp"

#include <fmt/format.h>

#include "ledger.hpp"

namespace sonde::cli {
namespace {

PacketCount sum(const PacketTotals& totals, int direction) {
  PacketCount all;
  for (const auto& count : totals[static_cast<std::size_t>(direction)]) {
    all.packets += count.packets;
    all.bytes += count.bytes;
  }
  return all;
}

void print_totals(std::ostream& out, const CaptureSummary& summary) {
  const auto& totals = summary.totals;
  const double seconds = std::chrono::duration<double>(summary.duration).count();
  const auto in = sum(totals, SONDE_DIRECTION_IN);
  const auto send = sum(totals, SONDE_DIRECTION_OUT);
  out << fmt::format("\n{} packets in {:.1f} s\n", in.packets + send.packets, seconds);
  const auto row = [&](const char* name, PacketCount received, PacketCount sent) {
    out << fmt::format("  {:<10} {:>14} {:>16} {:>14} {:>16}\n", name, received.packets, received.bytes, sent.packets,
                       sent.bytes);
  };
  out << fmt::format("  {:<10} {:>14} {:>16} {:>14} {:>16}\n", "protocol", "packets in", "bytes in", "packets out",
                     "bytes out");
  for (std::size_t i = 0; i < protocol_class_count; ++i)
    if (totals[0][i].packets + totals[1][i].packets > 0)
      row(protocol_class_name(static_cast<ProtocolClass>(i)), totals[0][i], totals[1][i]);
  row("all", in, send);
}

}  // namespace

void print_summary(std::ostream& out, const CaptureSummary& summary) {
  print_totals(out, summary);
  print_ledger(out, summary.loss);
  out.flush();
}

}  // namespace sonde::cli
