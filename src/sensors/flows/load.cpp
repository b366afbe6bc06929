// SPDX-License-Identifier: Apache-2.0
#include "sensors/flows/load.hpp"

#include "sensors/flows/program.hpp"
#include "sensors/packets/readers.hpp"

namespace sonde::flows {
namespace {

Result<kernel::Object> load_object(const KernelFlowOptions& options, FlowProgramOptions program) {
  auto object = load_flow_program(program);
  if (object || options.attach.xdp != packets::XdpChoice::automatic) return object;
  program.packets.xdp = false;  // a kernel before 5.18 has no bpf_xdp_load_bytes: tc ingress then
  return load_flow_program(program);
}

Result<Loaded> load_with_owners(const KernelFlowOptions& options, FlowProgramOptions program) {
  auto tracking = owners::OwnerTracking::start(options.owner);
  if (!tracking) return std::unexpected(tracking.error());
  program.packets.owners = tracking->get();
  auto object = load_object(options, program);
  if (!object) return std::unexpected(object.error());
  return Loaded{std::move(*object), std::move(*tracking), ""};
}

FlowProgramOptions program_options(const KernelFlowOptions& options,
                                   const std::vector<kernel::InterfaceInfo>& interfaces) {
  FlowProgramOptions program;
  program.packets.filter = options.filter;
  program.packets.count_totals = options.totals;
  program.packets.wakeup_bytes = static_cast<std::uint32_t>(packets::ring_bytes(1, options.buffer_bytes) / 8);
  program.max_flows = options.max_flows;
  program.groups = !options.groups.empty();
  program.arp = options.arp;
  program.dns = options.dns;
  packets::choose_programs(interfaces, options.interfaces, options.attach, program.packets);
  return program;
}

}  // namespace

Result<Loaded> load(const KernelFlowOptions& options, const std::vector<kernel::InterfaceInfo>& interfaces) {
  const auto program = program_options(options, interfaces);
  std::string notice;
  if (options.owners != packets::OwnersChoice::off) {
    auto loaded = load_with_owners(options, program);
    if (loaded || options.owners == packets::OwnersChoice::required) return loaded;
    notice = "flows are shown without owners: " + loaded.error().text();
  }
  auto object = load_object(options, program);
  if (!object) return std::unexpected(object.error());
  return Loaded{std::move(*object), nullptr, std::move(notice)};
}

}  // namespace sonde::flows
