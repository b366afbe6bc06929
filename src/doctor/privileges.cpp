// SPDX-License-Identifier: Apache-2.0
#include "doctor/privileges.hpp"

#include <linux/capability.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <sstream>

#include "doctor/files.hpp"

namespace sonde::doctor {
namespace {

struct CapabilityName {
  int number;
  const char* name;
};
constexpr std::array<CapabilityName, 5> names = {{{CAP_BPF, "CAP_BPF"},
                                                  {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                                  {CAP_PERFMON, "CAP_PERFMON"},
                                                  {CAP_NET_RAW, "CAP_NET_RAW"},
                                                  {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}}};

const char* name_of(int capability) {
  for (const auto& entry : names)
    if (entry.number == capability) return entry.name;
  return "a capability";
}

// What gives the process the capability: root may lack it too, in a container.
std::string how_to_get(const Privileges& privileges, const std::string& name) {
  if (!privileges.initial_user_namespace) return "run as root outside the user namespace";
  const std::string by = name + " (systemd: AmbientCapabilities=" + name + "; containers: --cap-add)";
  return privileges.user == 0 ? "add " + by : "run as root, or with " + by;
}

bool holds(const Privileges& privileges, int capability) { return (privileges.effective >> capability & 1U) != 0; }

// "         0          0 4294967295": ids are mapped to themselves.
bool is_identity(std::string_view uid_map) {
  std::istringstream text{std::string(uid_map)};
  std::uint64_t inside = 0, outside = 0, count = 0;
  return text >> inside >> outside >> count && inside == 0 && outside == 0 && count == 0xffffffff;
}

}  // namespace

bool Privileges::has(int capability) const {
  if (!initial_user_namespace) return false;
  const bool by_admin = capability == CAP_BPF || capability == CAP_PERFMON;
  return holds(*this, capability) || (by_admin && holds(*this, CAP_SYS_ADMIN));
}

Privileges parse_privileges(std::string_view status, std::string_view uid_map, std::uint32_t user) {
  Privileges privileges;
  privileges.user = user;
  privileges.initial_user_namespace = uid_map.empty() || is_identity(uid_map);
  constexpr std::string_view key = "CapEff:\t";
  const auto at = status.find(key);
  if (at == std::string_view::npos) return privileges;
  const auto digits = status.substr(at + key.size(), 16);
  std::from_chars(digits.data(), digits.data() + digits.size(), privileges.effective, 16);
  return privileges;
}

Privileges own_privileges() {
  return parse_privileges(read_file("/proc/self/status").value_or(""), read_file("/proc/self/uid_map").value_or(""),
                          ::geteuid());
}

std::string describe(const Privileges& privileges) {
  const auto who = privileges.user == 0 ? std::string("root") : "user " + std::to_string(privileges.user);
  return privileges.initial_user_namespace ? who : who + " of a user namespace";
}

Finding capability(const Privileges& privileges, int capability) {
  const std::string name = name_of(capability);
  if (!privileges.initial_user_namespace && holds(privileges, capability))
    return cannot_tell(
        "held in a user namespace, which BPF does not count and networking only where it owns the "
        "network namespace",
        how_to_get(privileges, name));
  if (holds(privileges, capability)) return yes();
  if (privileges.has(capability)) return yes("by CAP_SYS_ADMIN");
  return no("not in the effective set of " + describe(privileges), how_to_get(privileges, name));
}

Finding failure(const Error& error, const Privileges& privileges, int capability, std::string advice) {
  const std::string reason = Error{error.kind, error.code, error.message, {}}.text();
  if (error.code != EPERM && error.code != EACCES) return no(reason, std::move(advice));
  if (!privileges.has(capability))
    return cannot_tell(reason + ": needs " + name_of(capability), how_to_get(privileges, name_of(capability)));
  return no(reason + ", although " + name_of(capability) + " is held",
            "a seccomp profile, a security module or a container forbids it: allow it there");
}

}  // namespace sonde::doctor
