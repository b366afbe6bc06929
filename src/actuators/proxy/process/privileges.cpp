// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/privileges.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "actuators/proxy/config/host_user.hpp"
#include "actuators/proxy/process/created.hpp"

namespace sonde::proxy {
namespace {

constexpr std::array<cap_value_t, 2> needed{CAP_NET_BIND_SERVICE, CAP_NET_ADMIN};

struct FreeCapabilities {
  void operator()(cap_t capabilities) const { ::cap_free(capabilities); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

Result<HostUser> find_user(const std::string& name) {
  if (auto user = find_host_user(name)) return *user;
  return fail(ErrorKind::usage, fmt::format("user: \"{}\": expected a user of this host", name));
}

std::string name_of(uid_t id) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  ::getpwuid_r(id, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? found->pw_name : std::to_string(id);
}

std::ptrdiff_t count_threads() {
  std::error_code error;
  const auto threads = std::distance(std::filesystem::directory_iterator("/proc/self/task", error), {});
  return error ? 1 : threads;
}

// Capabilities belong to a thread, and a thread that exists already would keep its own. One that was joined may be in
// /proc for a moment yet: the kernel wakes the joiner first (kernel/exit.c, mm_release before release_task).
Result<void> only_one_thread() {
  std::ptrdiff_t threads = count_threads();
  for (int i = 0; i < 100 && threads > 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
    threads = count_threads();
  }
  if (threads <= 1) return {};
  return fail(ErrorKind::failed, fmt::format("privileges cannot be dropped: the process has {} threads", threads),
              "drop them before any is started, or say \"user\": \"root\"");
}

// Of those that this process has.
std::vector<cap_value_t> to_keep() {
  const Capabilities now(::cap_get_proc());
  std::vector<cap_value_t> kept;
  for (const cap_value_t capability : needed) {
    cap_flag_value_t has = CAP_CLEAR;
    if (now && ::cap_get_flag(now.get(), capability, CAP_PERMITTED, &has) == 0 && has == CAP_SET)
      kept.push_back(capability);
  }
  return kept;
}

std::string names_of(const std::vector<cap_value_t>& capabilities) {
  std::string names;
  for (const cap_value_t capability : capabilities) {
    char* const name = ::cap_to_name(capability);
    std::string text = name != nullptr ? name : std::to_string(capability);
    ::cap_free(name);
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    names += (names.empty() ? "" : ", ") + text;
  }
  return names.empty() ? "none" : names;
}

Result<void> keep_only(const std::vector<cap_value_t>& kept) {
  const Capabilities wanted(::cap_init());
  const int count = static_cast<int>(kept.size());
  if (!wanted || (count > 0 && (::cap_set_flag(wanted.get(), CAP_PERMITTED, count, kept.data(), CAP_SET) != 0 ||
                                ::cap_set_flag(wanted.get(), CAP_EFFECTIVE, count, kept.data(), CAP_SET) != 0)))
    return fail_errno("capabilities");
  if (::cap_set_proc(wanted.get()) != 0) return fail_errno("capabilities");
  return {};
}

Result<void> become(const HostUser& user) {
  const std::string what = fmt::format("user: become {}", user.name);
  if (::initgroups(user.name.c_str(), user.group) != 0 || ::setresgid(user.group, user.group, user.group) != 0)
    return fail_errno(what);
  // Without it the capabilities go with root (capabilities(7)).
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || ::setresuid(user.id, user.id, user.id) != 0) return fail_errno(what);
  ::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  return {};
}

}  // namespace

Result<Privileges> drop_privileges(const std::string& user) {
  const bool is_root = ::geteuid() == 0;
  std::optional<HostUser> next;
  if (is_root) {
    auto found = find_user(user);
    if (!found) return std::unexpected(found.error());
    if (found->id == 0) return Privileges{.user = found->name, .kept = "all"};
    next = *found;
  }
  if (auto alone = only_one_thread(); !alone) return std::unexpected(alone.error());
  const auto kept = to_keep();
  if (next) {
    // What no file may give back. EPERM where a container has no CAP_SETPCAP; NO_NEW_PRIVS says the same.
    for (cap_value_t capability = 0; capability <= ::cap_max_bits(); ++capability)
      if (std::ranges::find(needed, capability) == needed.end()) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    give_created_to(next->id, next->group);
    if (auto became = become(*next); !became) return std::unexpected(became.error());
  }
  if (auto done = keep_only(kept); !done) return std::unexpected(done.error());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("PR_SET_NO_NEW_PRIVS");
  return Privileges{.user = next ? next->name : name_of(::geteuid()), .kept = names_of(kept)};
}

std::uint64_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  rlim_t most = limit.rlim_max;
  std::ifstream("/proc/sys/fs/nr_open") >> most;
  // Above the hard limit with CAP_SYS_RESOURCE only.
  for (const rlim_t wanted : {std::max(most, limit.rlim_max), limit.rlim_max}) {
    const rlimit raised{.rlim_cur = wanted, .rlim_max = std::max(wanted, limit.rlim_max)};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return wanted;
  }
  return limit.rlim_cur;
}

}  // namespace sonde::proxy
