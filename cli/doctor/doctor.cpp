// SPDX-License-Identifier: Apache-2.0
#include "doctor/doctor.hpp"

#include "doctor/render.hpp"
#include "option_group.hpp"

namespace sonde::cli {
namespace {

constexpr const char* footer =
    "Everything is tried, nothing is concluded from a version: programs are loaded, and hooks are attached in a "
    "network\n"
    "namespace of their own until a packet has come through. Nothing is left behind.\n"
    "Exit status: 0 `sonde capture` can show live packets, by eBPF or by AF_PACKET; 3 it cannot.";

}  // namespace

int doctor(const Environment& env, std::vector<std::string> arguments) {
  CLI::App app{"Tell what works on this kernel with these privileges, and why not.", "sonde doctor"};
  app.footer(footer);
  bool json = false;
  app.add_flag("--json", json, "One JSON object instead of tables");
  const auto ended = parse_arguments(env, app, "doctor", std::move(arguments));
  if (ended) return *ended;
  const auto report = examine();
  env.out << (json ? doctor_json(report) : doctor_text(report, env.out_is_terminal));
  return report.capture.source == "none" ? unsupported : well;
}

}  // namespace sonde::cli
