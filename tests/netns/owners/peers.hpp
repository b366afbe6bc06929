// SPDX-License-Identifier: Apache-2.0
// Sockets and processes for tests of owners.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "base/fd.hpp"

namespace sonde::test {

/// A connection over loopback of the calling thread's network namespace.
struct LoopbackTcp {
  Fd listener;
  Fd client;
  Fd accepted;
};
/// `family` is AF_INET or AF_INET6. With `accept` false the connection waits in the listener's queue.
LoopbackTcp connect_loopback(int family, bool accept = true);

/// Runs the function in a child process and waits until it has ended; gives the child's PID.
pid_t in_child(const std::function<void()>& function);

/// Passes a descriptor to a child process (SCM_RIGHTS), which runs the function with it; gives the child's PID. The
/// child was there before the socket, so it did not inherit it.
pid_t pass_to_child(int fd, const std::function<void(int fd)>& function);

/// When this process started, as /proc/self/stat tells it: clock ticks of CLOCK_BOOTTIME.
std::uint64_t own_start_ticks();

}  // namespace sonde::test
