// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "doctor/render.hpp"

namespace sonde::cli {
namespace {

using nlohmann::ordered_json;

ordered_json feature_json(const DoctorFeature& feature) {
  return {{"group", feature.group},     {"name", feature.name},
          {"purpose", feature.purpose}, {"answer", answer_name(feature.answer)},
          {"hook", feature.hook},       {"reason", feature.reason},
          {"advice", feature.advice}};
}

ordered_json interface_json(const DoctorInterface& interface) {
  return {{"name", interface.name},
          {"up", interface.up},
          {"link", interface.link},
          {"native_xdp", answer_name(interface.native_xdp)},
          {"xdp_program", interface.xdp_program},
          {"receive", interface.receive},
          {"send", interface.send},
          {"note", interface.note}};
}

}  // namespace

std::string doctor_json(const DoctorReport& report) {
  auto features = ordered_json::array();
  for (const auto& feature : report.features) features.push_back(feature_json(feature));
  auto interfaces = ordered_json::array();
  for (const auto& interface : report.interfaces) interfaces.push_back(interface_json(interface));
  const ordered_json object = {{"type", "doctor"},
                               {"kernel", report.kernel},
                               {"privileges", report.privileges},
                               {"features", features},
                               {"interfaces", interfaces},
                               {"capture",
                                {{"source", report.capture.source},
                                 {"receive", report.capture.receive},
                                 {"send", report.capture.send},
                                 {"reason", report.capture.reason}}}};
  // Texts come from the kernel too: bytes that are no UTF-8 become U+FFFD.
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sonde::cli
