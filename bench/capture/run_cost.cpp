// SPDX-License-Identifier: Apache-2.0
#include "run_cost.hpp"

#include <bpf/bpf.h>

#include <ctime>

namespace sonde::bench {
namespace {

double thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

}  // namespace

Result<double> run_cost(int program, std::span<const std::uint8_t> frame, std::uint32_t repeat) {
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = frame.data();
  run.data_size_in = static_cast<std::uint32_t>(frame.size());
  run.repeat = static_cast<int>(repeat);
  const double start = thread_cpu_ns();
  if (::bpf_prog_test_run_opts(program, &run) != 0) return fail_errno("BPF_PROG_TEST_RUN");
  return (thread_cpu_ns() - start) / repeat;
}

}  // namespace sonde::bench
