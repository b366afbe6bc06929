// SPDX-License-Identifier: Apache-2.0
// Programs on functions, tracepoints and cgroups, and iterators. What a kernel has is found out by trying.
#pragma once
#include <string>
#include <string_view>

#include "kernel/attach.hpp"
#include "kernel/object.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// Does the running kernel's BTF have this type or function? Without BTF: false.
[[nodiscard]] bool has_function(std::string_view name);
/// Arguments of a kernel function; -1: there is no such function.
[[nodiscard]] int function_arguments(std::string_view name);
[[nodiscard]] bool has_struct_member(std::string_view type, std::string_view member);
/// Arguments of a tracepoint as a tp_btf program sees them; -1: there is no such tracepoint.
[[nodiscard]] int tracepoint_arguments(std::string_view tracepoint);
[[nodiscard]] inline bool has_tracepoint(std::string_view name) { return tracepoint_arguments(name) >= 0; }

/// Attaches a loaded tp_btf, fentry, fexit, kprobe or kretprobe program where its section says.
[[nodiscard]] Result<Link> attach_tracing(const Object& object, std::string_view program);

/// Attaches a cgroup program to the root of the cgroup v2 hierarchy, so to every process. Other programs stay.
[[nodiscard]] Result<Link> attach_cgroup_root(const Object& object, std::string_view program);

/// Runs a loaded iterator program once, to its end, in the network namespace of the calling thread. What it writes with
/// bpf_seq_write() is returned.
[[nodiscard]] Result<std::string> run_iterator(const Object& object, std::string_view program);

}  // namespace sonde::kernel
