// SPDX-License-Identifier: Apache-2.0
#include "guard_kernel.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <cstring>
#include <stdexcept>

#include "base/wall_clock.hpp"
#include "harness/result.hpp"

extern "C" {
extern const std::uint8_t sonde_guard_bpf_object[];
extern const std::uint8_t sonde_guard_bpf_object_end[];
}

namespace sonde::test {
namespace {

bool is_drop(const std::string& program, std::uint32_t verdict) {
  if (program == "guard_xdp" ? verdict == XDP_DROP : verdict == TC_ACT_SHOT) return true;
  const auto pass =
      program == "guard_xdp" ? static_cast<std::uint32_t>(XDP_PASS) : static_cast<std::uint32_t>(TC_ACT_UNSPEC);
  if (verdict != pass) throw std::runtime_error(program + " returned " + std::to_string(verdict));
  return false;
}

sonde_guard_outcome moved(const sonde_guard_totals& before, const sonde_guard_totals& after) {
  std::optional<int> found;
  for (int i = 0; i < SONDE_GUARD_OUTCOMES; ++i) {
    if (before.outcomes[i].packets == after.outcomes[i].packets) continue;
    if (found) throw std::runtime_error("a packet has two outcomes");
    found = i;
  }
  if (!found) throw std::runtime_error("a packet has no outcome");
  return static_cast<sonde_guard_outcome>(*found);
}

}  // namespace

std::int64_t test_now_wall_ns() { return monotonic_ns() + test_wall_offset_ns; }

guard::CompileOptions compile_options() {
  guard::CompileOptions options;
  options.monotonic_now_ns = monotonic_ns();
  options.wall_now_ns = options.monotonic_now_ns + test_wall_offset_ns;
  options.cpus = kernel::possible_cpus();
  return options;
}

GuardKernel::GuardKernel() {
  object_.emplace(value_or_throw(kernel::Object::open({sonde_guard_bpf_object, sonde_guard_bpf_object_end}, "guard")));
  if (auto loaded = object_->load(); !loaded)
    throw std::runtime_error(loaded.error().text() + "\n" + object_->verifier_log());
}

void GuardKernel::install(std::span<const GuardRule> rules, guard::CompileOptions options) {
  if (options.wall_now_ns == 0) options = compile_options();
  install(value_or_throw(guard::compile(rules, "source", options)));
}

void GuardKernel::install(const guard::Blob& blob) {
  rule_set_.emplace(value_or_throw(guard::RuleSetMap::create(blob)));
  value_or_throw(guard::replace_rule_set(map("guard_rules"), *rule_set_));
}

int GuardKernel::map(const std::string& name) const { return value_or_throw(object_->map_fd(name)); }

sonde_guard_totals GuardKernel::totals() const {
  const std::uint32_t element = 0;
  return value_or_throw(kernel::sum_per_cpu<sonde_guard_totals>(map("guard_totals"), &element));
}

guard::BlobView GuardKernel::view() const { return value_or_throw(rule_set_->view()); }

GuardRun GuardKernel::run(const std::string& program, const Bytes& frame, std::uint32_t repeat) {
  const auto before = totals();
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = frame.data();
  run.data_size_in = static_cast<__u32>(frame.size());
  run.repeat = static_cast<int>(repeat);
  if (bpf_prog_test_run_opts(value_or_throw(object_->program_fd(program)), &run) != 0)
    throw std::runtime_error("BPF_PROG_TEST_RUN: " + std::string(std::strerror(errno)));
  return {is_drop(program, run.retval), moved(before, totals())};
}

void run_many(int program, const Bytes& frame, std::uint32_t times) {
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = frame.data();
  run.data_size_in = static_cast<__u32>(frame.size());
  run.repeat = static_cast<int>(times);
  if (bpf_prog_test_run_opts(program, &run) != 0)
    throw std::runtime_error("BPF_PROG_TEST_RUN: " + std::string(std::strerror(errno)));
}

GuardRun GuardKernel::run_tc(const std::string& program, const Bytes& frame, std::uint32_t ifindex,
                             std::uint32_t gso_segments) {
  const auto before = totals();
  __sk_buff context{};
  context.ifindex = ifindex;
  context.gso_segs = gso_segments;
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = frame.data();
  run.data_size_in = static_cast<__u32>(frame.size());
  run.ctx_in = &context;
  run.ctx_size_in = sizeof(context);
  if (bpf_prog_test_run_opts(value_or_throw(object_->program_fd(program)), &run) != 0)
    throw std::runtime_error("BPF_PROG_TEST_RUN: " + std::string(std::strerror(errno)));
  return {is_drop(program, run.retval), moved(before, totals())};
}

}  // namespace sonde::test
