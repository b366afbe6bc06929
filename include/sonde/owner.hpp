// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sonde/abi/owner.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sonde/export.hpp"

namespace sonde {

/// What a process runs in, as its cgroup path tells.
struct Container {
  std::string runtime;  ///< "docker", "containerd", "cri-o", "podman", "runc", "systemd" ...
  std::string id;       ///< full container id; for systemd the unit ("nginx.service")
  std::string pod;      ///< UID of the Kubernetes pod; empty: none
};

/// A process, as far as it could be learnt. Kept after the process has exited, for the events it caused.
struct Process {
  std::uint32_t pid = 0;                  ///< in the initial PID namespace
  std::uint32_t parent_pid = 0;           ///< at the time of its start; 0: not known
  std::uint64_t start_time_ns = 0;        ///< CLOCK_BOOTTIME; with the pid it names a process for good
  std::int64_t start_wall_ns = 0;         ///< the same as nanoseconds since 1970-01-01 UTC
  std::uint32_t uid = 0;                  ///< effective
  std::string user;                       ///< name of the uid; empty: it has none
  std::string comm;                       ///< name of the process, at most 15 bytes
  std::string executable;                 ///< path; empty: not known (a kernel thread, or gone before it was looked at)
  std::vector<std::string> command_line;  ///< argv; empty: not known. May be cut: then the last word ends with "..."
  std::string cgroup;                     ///< path below its mount; empty: not known
  std::uint32_t network_namespace = 0;    ///< inode number; 0: not known
  std::optional<Container> container;
  bool exited = false;
};

enum class OwnerMethod : std::uint8_t { none, sk_storage, iter, cookie, tuple };  ///< order of enum sonde_owner_method
enum class OwnerConfidence : std::uint8_t { none, low, medium, high };

/// Who owns a socket, and how sure that is. Never the task that an interrupt happened to hit.
///
/// high: the process was seen sending to, accepting, closing or creating this very socket, and nobody else.
/// medium: it holds the socket in its file table, or several processes have used the socket and this one was the last.
/// low: found by addresses and ports, or it is the listener's record: the accepted socket itself was not used yet.
struct Owner {
  OwnerMethod method = OwnerMethod::none;
  OwnerConfidence confidence = OwnerConfidence::none;
  sonde_owner_reason reason = SONDE_REASON_NOT_TRACKED;  ///< why it is unknown, with OwnerMethod::none
  sonde_owner_evidence evidence = SONDE_OWNER_NOTHING;
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::uint32_t uid = 0;
  std::string comm;                        ///< of the thread
  std::shared_ptr<const Process> process;  ///< null only when the owner is unknown

  [[nodiscard]] bool known() const { return method != OwnerMethod::none; }
};

/// The last user of a socket, and who opened it when that was another process (passed or inherited sockets).
struct SocketOwner {
  Owner owner;
  std::optional<Owner> opener;
};

/// "sk_storage", "iter", "cookie", "tuple", "none".
[[nodiscard]] SONDE_EXPORT const char* owner_method_name(OwnerMethod method);
/// "high", "medium", "low", "none".
[[nodiscard]] SONDE_EXPORT const char* owner_confidence_name(OwnerConfidence confidence);
/// "no socket", "not recorded" ...: a few words for people.
[[nodiscard]] SONDE_EXPORT const char* owner_reason_text(sonde_owner_reason reason);
/// "created", "holds", "accepted", "closed", "sent", "".
[[nodiscard]] SONDE_EXPORT const char* owner_evidence_name(sonde_owner_evidence evidence);

/// Which owners are wanted. The lists are joined by AND, the words of one list by OR; empty: any. An unknown owner
/// matches only when all lists are empty.
struct OwnerFilter {
  std::vector<std::string> pids = {};        ///< "4711", "4711,4712"
  std::vector<std::string> processes = {};   ///< name of the thread or process, or the executable's path or last part
  std::vector<std::string> users = {};       ///< name or number
  std::vector<std::string> containers = {};  ///< id, or its beginning (4 characters at least), or a systemd unit

  [[nodiscard]] bool empty() const { return pids.empty() && processes.empty() && users.empty() && containers.empty(); }
};

/// How owners are found. `hook` forces a rung of the ladder, for tests and for finding faults.
struct OwnerOptions {
  std::string hook = "auto";       ///< auto, fentry, tracepoint, kprobe, cgroup
  std::uint32_t map_size = 65536;  ///< sockets, where socket-local storage is not to be had
  OwnerFilter filter;
};

}  // namespace sonde
