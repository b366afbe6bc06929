// SPDX-License-Identifier: Apache-2.0
#include "export/json/summary.hpp"

#include <fmt/format.h>

#include <iterator>

#include "export/json/escape.hpp"
#include "export/names.hpp"

namespace sonde::exporter {
namespace {

void append_totals(std::string& out, const PacketTotals& totals) {
  static constexpr const char* directions[2] = {"in", "out"};
  for (std::size_t direction = 0; direction < totals.size(); ++direction) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":{{", direction == 0 ? "" : ",", directions[direction]);
    for (std::size_t i = 0; i < protocol_class_count; ++i) {
      const PacketCount& count = totals[direction][i];
      fmt::format_to(std::back_inserter(out), "{}\"{}\":{{\"packets\":{},\"bytes\":{}}}", i == 0 ? "" : ",",
                     protocol_class_word(static_cast<ProtocolClass>(i)), count.packets, count.bytes);
    }
    out += '}';
  }
}

void append_stage(std::string& out, const LossStage& stage) {
  out += '{';
  append_json_member(out, "name", stage.name);
  fmt::format_to(std::back_inserter(out),
                 "\"taken\":{},\"given\":{},\"filtered\":{},\"lost\":{},\"note\":", stage.taken, stage.given,
                 stage.filtered, stage.lost);
  append_json_string(out, stage.note);
  out += '}';
}

void append_loss(std::string& out, const LossReport& loss) {
  fmt::format_to(std::back_inserter(out), "\"lost\":{},\"balanced\":{},\"stages\":[", loss.lost(), loss.balanced());
  for (const LossStage& stage : loss.stages) {
    if (&stage != &loss.stages.front()) out += ',';
    append_stage(out, stage);
  }
  out += ']';
}

std::string begin_summary(std::chrono::nanoseconds duration) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  return fmt::format("{{\"type\":\"summary\",\"duration\":{}.{:09}", duration.count() / second_ns,
                     duration.count() % second_ns);
}

std::string end_summary(std::string out, const LossReport& loss) {
  append_loss_member(out, loss);
  return out + "}";
}

}  // namespace

void append_loss_member(std::string& out, const LossReport& loss) {
  out += ",\"loss\":{";
  append_loss(out, loss);
  out += '}';
}

std::string summary_json(const pipeline::Summary& summary) {
  std::string out = begin_summary(summary.duration) + ",\"totals\":{";
  append_totals(out, summary.totals);
  return end_summary(out + "}", summary.loss);
}

std::string summary_json(const pipeline::EventTotals& totals) {
  return end_summary(fmt::format("{},\"events\":{}", begin_summary(totals.duration), totals.events), totals.loss);
}

}  // namespace sonde::exporter
