// SPDX-License-Identifier: Apache-2.0
#include "doctor/owner_trials.hpp"

#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "kernel/tracing.hpp"
#include "sensors/owners/rungs.hpp"
#include "sensors/processes/process_events.hpp"

namespace sonde::doctor {
namespace {

constexpr std::uint32_t map_size = 64;
constexpr const char* silent = "attached, but it did not record a socket that was used";

// The datagram goes to the loopback of the trial's network namespace; nobody needs to receive it.
void send_datagram(const Fd& socket) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);  // discard
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)::sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
}

bool is_own(const sonde_task& task) {
  return task.start_time_ns != 0 && task.pid == static_cast<std::uint32_t>(::getpid());
}

const char* advice_for(const std::string& rung) {
  if (rung == "fentry") return "needs CONFIG_FUNCTION_TRACER with direct calls; another rung takes over";
  if (rung == "tracepoint") return "needs Linux 6.3 and BTF; another rung takes over";
  if (rung == "kprobe") return "needs CONFIG_KPROBES; another rung takes over";
  return "needs CONFIG_CGROUP_BPF and cgroup v2";
}

}  // namespace

Finding try_owner_rung(const std::string& rung, const Privileges& privileges) {
  const auto attached = owners::attach_rung(rung, map_size, owners::Sharing::none);
  if (!attached) return failure(attached.error(), privileges, CAP_BPF, advice_for(rung));
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return cannot_tell(fail_errno("cannot open a socket").error().text());
  send_datagram(socket);
  const auto owner = owners::recorded_owner(*attached, socket.get());
  if (!owner || !is_own(owner->user)) return no(silent, "report this: the hook is there and stays silent");
  return yes(attached->rung->store == SONDE_STORE_COOKIE ? "owners by socket cookie"
                                                         : "owners in socket-local storage");
}

Finding try_owner_seed(const Privileges& privileges) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return cannot_tell(fail_errno("cannot open a socket").error().text());
  const auto attached = owners::attach_rung("auto", map_size, owners::Sharing::none);
  if (!attached) return cannot_tell(attached.error().text(), "see the rows above");
  const auto run = kernel::run_iterator(attached->object, "sonde_seed");
  if (!run) return failure(run.error(), privileges, CAP_BPF, "needs Linux 5.8 with BTF");
  const auto owner = owners::recorded_owner(*attached, socket.get());
  return owner && is_own(owner->opener) ? yes("iter/task_file") : no(silent, "report this");
}

Finding try_process_events(const Privileges& privileges) {
  const auto events = processes::ProcessEvents::start();
  if (!events) return failure(events.error(), privileges, CAP_BPF, "needs BTF; /proc is read instead");
  return yes("tp_btf sched_process_fork, _exec, _exit");
}

}  // namespace sonde::doctor
