// SPDX-License-Identifier: Apache-2.0
#include "sonde/doctor.hpp"

#include <sys/utsname.h>

#include <algorithm>

#include "doctor/bpf_call.hpp"
#include "doctor/decision.hpp"
#include "doctor/features.hpp"
#include "doctor/trials.hpp"
#include "doctor/xdp_features.hpp"

namespace sonde {
namespace {

std::string kernel_name() {
  utsname name{};
  if (::uname(&name) != 0) return "unknown";
  return std::string(name.release) + " " + name.machine;
}

std::vector<DoctorInterface> examine_interfaces(const DoctorCapture& capture) {
  std::vector<DoctorInterface> described;
  const auto interfaces = kernel::list_interfaces();
  if (!interfaces) return described;
  const auto features = doctor::list_xdp_features();
  for (const auto& interface : *interfaces) {
    doctor::XdpFacts xdp;
    if (features && features->contains(interface.ifindex)) xdp.features = features->at(interface.ifindex);
    if (interface.xdp_program != 0) xdp.program_name = doctor::program_name(interface.xdp_program);
    described.push_back(doctor::describe_interface(interface, xdp, capture));
  }
  return described;
}

}  // namespace

const char* answer_name(Answer answer) {
  constexpr const char* names[] = {"yes", "no", "unknown"};
  return names[static_cast<std::size_t>(answer)];
}

DoctorReport examine() {
  doctor::Examination examination;
  examination.privileges = doctor::own_privileges();
  {
    auto programs = doctor::load_programs(examination.privileges);
    examination.found = std::move(programs.findings);
    examination.found.merge(doctor::run_trials_in_child(programs, examination.privileges));
  }
  DoctorReport report;
  report.kernel = kernel_name();
  report.privileges = doctor::describe(examination.privileges);
  report.features = doctor::examine_features(examination);
  report.capture = doctor::choose_capture(examination.found);
  report.interfaces = examine_interfaces(report.capture);
  return report;
}

Answer doctor_answer(const DoctorReport& report, std::string_view feature) {
  const auto found = std::ranges::find(report.features, feature, &DoctorFeature::name);
  return found == report.features.end() ? Answer::unknown : found->answer;
}

}  // namespace sonde
