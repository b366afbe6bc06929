// SPDX-License-Identifier: Apache-2.0
#include "doctor/lockdown.hpp"

#include <linux/capability.h>

#include "doctor/bpf_call.hpp"
#include "doctor/files.hpp"

namespace sonde::doctor {

std::string active_lockdown(std::string_view text) {
  const auto open = text.find('[');
  const auto close = text.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  return std::string(text.substr(open + 1, close - open - 1));
}

Finding try_kernel_reads(const Privileges& privileges) {
  const auto state = active_lockdown(read_file("/sys/kernel/security/lockdown").value_or(""));
  const auto program = load_instructions(BPF_PROG_TYPE_RAW_TRACEPOINT, kernel_read_instructions(), 0);
  if (program) return yes(state.empty() ? "" : "lockdown: " + state);
  if (state == "confidentiality")
    return no("the kernel is locked down: " + state,
              "boot without lockdown=confidentiality; packet capture does not need it");
  return failure(program.error(), privileges, CAP_PERFMON,
                 "needs a kernel with CONFIG_BPF_EVENTS; packet capture does not need it");
}

}  // namespace sonde::doctor
