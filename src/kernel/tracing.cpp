// SPDX-License-Identifier: Apache-2.0
#include "kernel/tracing.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "kernel/mounts.hpp"

namespace sonde::kernel {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

// Parsed once: 5 MB of types, a few milliseconds.
const btf* kernel_types() {
  static const std::unique_ptr<btf, FreeBtf> types(btf__load_vmlinux_btf());
  return types.get();
}

const btf_type* find_type(std::string_view name, std::uint32_t kind) {
  const btf* types = kernel_types();
  if (types == nullptr) return nullptr;
  const int id = btf__find_by_name_kind(types, std::string(name).c_str(), kind);
  return id < 0 ? nullptr : btf__type_by_id(types, static_cast<__u32>(id));
}

Link owning(bpf_link* link, std::string hook) {
  return {std::move(hook), [link] { bpf_link__destroy(link); }};
}

}  // namespace

bool has_function(std::string_view name) { return find_type(name, BTF_KIND_FUNC) != nullptr; }

int function_arguments(std::string_view name) {
  const btf_type* function = find_type(name, BTF_KIND_FUNC);
  return function == nullptr ? -1 : btf_vlen(btf__type_by_id(kernel_types(), function->type));
}

bool has_struct_member(std::string_view type, std::string_view member) {
  const btf_type* found = find_type(type, BTF_KIND_STRUCT);
  if (found == nullptr) return false;
  const btf_member* members = btf_members(found);
  for (int i = 0; i < btf_vlen(found); ++i)
    if (member == btf__name_by_offset(kernel_types(), members[i].name_off)) return true;
  return false;
}

// include/trace/bpf_probe.h: typedef void (*btf_trace_NAME)(void *, ARGUMENTS).
int tracepoint_arguments(std::string_view tracepoint) {
  const btf_type* alias = find_type("btf_trace_" + std::string(tracepoint), BTF_KIND_TYPEDEF);
  if (alias == nullptr) return -1;
  const btf_type* pointer = btf__type_by_id(kernel_types(), alias->type);
  const btf_type* function = btf__type_by_id(kernel_types(), pointer->type);
  return btf_vlen(function) - 1;
}

Result<Link> attach_tracing(const Object& object, std::string_view program) {
  bpf_program* found = object.find_program(program);
  if (found == nullptr) return fail(ErrorKind::failed, "the BPF object has no program '" + std::string(program) + "'");
  std::string section = bpf_program__section_name(found);
  bpf_link* link = bpf_program__attach(found);
  if (link == nullptr) return fail_errno("cannot attach to " + section);
  return owning(link, std::move(section));
}

Result<Link> attach_cgroup_root(const Object& object, std::string_view program) {
  bpf_program* found = object.find_program(program);
  if (found == nullptr) return fail(ErrorKind::failed, "the BPF object has no program '" + std::string(program) + "'");
  auto root = open_cgroup_root();
  if (!root) return std::unexpected(root.error());
  std::string section = bpf_program__section_name(found);
  bpf_link* link = bpf_program__attach_cgroup(found, root->get());
  if (link == nullptr) return fail_errno("cannot attach to " + section);
  return owning(link, std::move(section));
}

Result<std::string> run_iterator(const Object& object, std::string_view program) {
  bpf_program* found = object.find_program(program);
  if (found == nullptr) return fail(ErrorKind::failed, "the BPF object has no program '" + std::string(program) + "'");
  bpf_link* attached = bpf_program__attach_iter(found, nullptr);
  const std::string section = bpf_program__section_name(found);
  if (attached == nullptr) return fail_errno("cannot attach to " + section);
  const Link link = owning(attached, section);
  const Fd iterator(bpf_iter_create(bpf_link__fd(attached)));
  if (!iterator) return fail_errno("cannot start " + section);
  std::string output;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t size = ::read(iterator.get(), buffer.data(), buffer.size());
    if (size > 0) output.append(buffer.data(), static_cast<std::size_t>(size));
    if (size == 0) return output;
    if (size < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("cannot read " + section);
  }
}

}  // namespace sonde::kernel
