// SPDX-License-Identifier: Apache-2.0
#include "detect/process/program.hpp"

#include "detect/address.hpp"

namespace sonde::detect {

std::string program_of(const SocketOwner* owner) {
  if (!owner || !owner->owner.known()) return {};
  const auto& process = owner->owner.process;
  if (process && !process->executable.empty()) return process->executable;
  return process && !process->comm.empty() ? process->comm : owner->owner.comm;
}

bool goes_out(const FlowSight& flow) {
  if (is_private(flow.endpoints[1].address) || !is_one_host(flow.endpoints[0].address)) return false;
  return flow.local[0] || (!flow.local[1] && is_private(flow.endpoints[0].address));
}

std::string subject_of(const SocketOwner& owner, const Endpoint& source) {
  auto program = program_of(&owner);
  return program.empty() ? source.address_text() : program;
}

}  // namespace sonde::detect
