// SPDX-License-Identifier: Apache-2.0
#include "kernel/object.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>

#include "kernel/patch.hpp"
#include "kernel/verifier_log.hpp"

namespace sonde::kernel {

struct Object::State {
  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  std::unique_ptr<bpf_object, Close> object;
  std::map<std::string, std::vector<bpf_insn>, std::less<>> bodies;  ///< replacements by subprogram
  std::vector<std::vector<bpf_func_info>> function_infos;            ///< of patched programs, alive while they load
  std::string log;
};

namespace {

// libbpf prints and calls back without a context of ours; this is the call that runs in this thread.
struct CallContext {
  std::string* log = nullptr;
  std::map<std::string, std::vector<bpf_insn>, std::less<>>* bodies = nullptr;
  std::vector<std::vector<bpf_func_info>>* function_infos = nullptr;
  const btf* types = nullptr;
};
thread_local CallContext current;

struct CallScope {
  explicit CallScope(CallContext context) { current = context; }
  ~CallScope() { current = {}; }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;
};

int collect_log(libbpf_print_level level, const char* format, va_list arguments) {
  if (current.log == nullptr || level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, arguments);
  const int size = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (size <= 0) return 0;
  const auto before = current.log->size();
  current.log->resize(before + static_cast<std::size_t>(size) + 1);
  std::vsnprintf(current.log->data() + before, static_cast<std::size_t>(size) + 1, format, arguments);
  current.log->pop_back();
  return size;
}

std::string_view function_name(const bpf_func_info& info) {
  const btf_type* type = btf__type_by_id(current.types, info.type_id);
  const char* name = type == nullptr ? nullptr : btf__name_by_offset(current.types, type->name_off);
  return name == nullptr ? std::string_view{} : name;
}

// Subprograms are appended to a program by libbpf; the function info says where each one starts.
void patch_subprogram(std::vector<bpf_insn>& program, std::vector<bpf_func_info>& functions, std::size_t index,
                      std::span<const bpf_insn> body) {
  const std::size_t start = functions[index].insn_off;
  const std::size_t end = index + 1 < functions.size() ? functions[index + 1].insn_off : program.size();
  program = replace_range(program, start, end, body);
  for (std::size_t i = index + 1; i < functions.size(); ++i)
    functions[i].insn_off += static_cast<__u32>(body.size() - (end - start));
}

// Called by libbpf with the relocated program, right before BPF_PROG_LOAD.
int prepare_load(bpf_program* program, bpf_prog_load_opts* options, long) {
  if (current.bodies == nullptr || current.bodies->empty()) return 0;
  if (options->func_info == nullptr || options->func_info_rec_size != sizeof(bpf_func_info)) return -ENOTSUP;
  const auto* infos = static_cast<const bpf_func_info*>(options->func_info);
  std::vector<bpf_func_info> functions(infos, infos + options->func_info_cnt);
  const bpf_insn* first = bpf_program__insns(program);
  std::vector<bpf_insn> instructions(first, first + bpf_program__insn_cnt(program));
  bool patched = false;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const auto body = current.bodies->find(function_name(functions[i]));
    if (body == current.bodies->end()) continue;
    patch_subprogram(instructions, functions, i, body->second);
    patched = true;
  }
  if (!patched) return 0;
  current.function_infos->push_back(std::move(functions));
  options->func_info = current.function_infos->back().data();
  options->line_info = nullptr;  // its offsets no longer hold
  options->line_info_cnt = 0;
  return bpf_program__set_insns(program, instructions.data(), instructions.size());
}

// Sections of our own, so that libbpf calls prepare_load() for their programs.
void register_sections() {
  static std::once_flag once;
  std::call_once(once, [] {
    libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
    libbpf_set_print(collect_log);
    libbpf_prog_handler_opts options{};
    options.sz = sizeof(options);
    options.prog_prepare_load_fn = prepare_load;
    libbpf_register_prog_handler("sonde/xdp", BPF_PROG_TYPE_XDP, BPF_XDP, &options);
    libbpf_register_prog_handler("sonde/tc", BPF_PROG_TYPE_SCHED_CLS, static_cast<bpf_attach_type>(0), &options);
  });
}

ProgramType program_type(const bpf_program* program) {
  switch (bpf_program__type(program)) {
    case BPF_PROG_TYPE_XDP: return ProgramType::xdp;
    case BPF_PROG_TYPE_SCHED_CLS: return ProgramType::tc;
    default: return ProgramType::other;
  }
}

std::unexpected<Error> no_such(const char* what, std::string_view name) {
  return fail(ErrorKind::failed, std::string("the BPF object has no ") + what + " '" + std::string(name) + "'");
}

bpf_map* find_rodata(const bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (std::string_view(bpf_map__name(map)).ends_with(".rodata")) return map;
  }
  return nullptr;
}

std::optional<btf_var_secinfo> find_variable(const btf* types, std::string_view name) {
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section < 0) return {};
  const btf_type* type = btf__type_by_id(types, static_cast<__u32>(section));
  const btf_var_secinfo* entry = btf_var_secinfos(type);
  for (int i = 0; i < btf_vlen(type); ++i, ++entry) {
    const btf_type* variable = btf__type_by_id(types, entry->type);
    if (name == btf__name_by_offset(types, variable->name_off)) return *entry;
  }
  return {};
}

const char* load_hint(int code) {
  if (code == EPERM || code == EACCES) return "BPF needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON";
  return "";
}

}  // namespace

Object::Object(std::unique_ptr<State> state) : state_(std::move(state)) {}
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(Object&&) noexcept = default;
Object::~Object() = default;

Result<Object> Object::open(std::span<const std::uint8_t> elf, const std::string& name) {
  register_sections();
  auto state = std::make_unique<State>();
  const CallScope scope({.log = &state->log});
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.object_name = name.c_str();
  state->object.reset(bpf_object__open_mem(elf.data(), elf.size(), &options));
  if (!state->object) return fail_errno("cannot open the BPF object " + name, verifier_reason(state->log));
  return Object(std::move(state));
}

Result<Object> Object::open_file(const std::string& path) {
  register_sections();
  auto state = std::make_unique<State>();
  const CallScope scope({.log = &state->log});
  state->object.reset(bpf_object__open_file(path.c_str(), nullptr));
  if (!state->object) return fail_errno("cannot open the BPF object " + path, verifier_reason(state->log));
  return Object(std::move(state));
}

Result<void> Object::set_constant(std::string_view variable, std::span<const std::uint8_t> value) {
  bpf_map* map = find_rodata(state_->object.get());
  const auto place = find_variable(bpf_object__btf(state_->object.get()), variable);
  if (map == nullptr || !place) return no_such("constant", variable);
  std::size_t map_size = 0;
  const auto* initial = static_cast<const std::uint8_t*>(bpf_map__initial_value(map, &map_size));
  if (place->size != value.size() || place->offset + place->size > map_size)
    return fail(ErrorKind::failed, "size of the constant '" + std::string(variable) + "' differs");
  std::vector<std::uint8_t> bytes(initial, initial + map_size);
  std::memcpy(bytes.data() + place->offset, value.data(), value.size());
  const int error = -bpf_map__set_initial_value(map, bytes.data(), bytes.size());
  if (error != 0) return fail_errno(error, "cannot set the constant '" + std::string(variable) + "'");
  return {};
}

void Object::replace_subprogram(std::string subprogram, std::vector<bpf_insn> body) {
  state_->bodies.insert_or_assign(std::move(subprogram), std::move(body));
}

Result<void> Object::set_autoload(std::string_view program, bool load) {
  bpf_program* found = bpf_object__find_program_by_name(state_->object.get(), std::string(program).c_str());
  if (found == nullptr) return no_such("program", program);
  bpf_program__set_autoload(found, load);
  return {};
}

Result<void> Object::set_autocreate(std::string_view map, bool create) {
  bpf_map* found = bpf_object__find_map_by_name(state_->object.get(), std::string(map).c_str());
  if (found == nullptr) return no_such("map", map);
  bpf_map__set_autocreate(found, create);
  return {};
}

Result<void> Object::set_max_entries(std::string_view map, std::uint32_t entries) {
  bpf_map* found = bpf_object__find_map_by_name(state_->object.get(), std::string(map).c_str());
  if (found == nullptr) return no_such("map", map);
  bpf_map__set_max_entries(found, entries);
  return {};
}

Result<void> Object::reuse_map(std::string_view map, int fd) {
  bpf_map* found = bpf_object__find_map_by_name(state_->object.get(), std::string(map).c_str());
  if (found == nullptr) return no_such("map", map);
  const int error = -bpf_map__reuse_fd(found, fd);
  if (error != 0) return fail_errno(error, "cannot share the map '" + std::string(map) + "'");
  return {};
}

Result<void> Object::allow_fragments(std::string_view program) {
  bpf_program* found = bpf_object__find_program_by_name(state_->object.get(), std::string(program).c_str());
  if (found == nullptr) return no_such("program", program);
  bpf_program__set_flags(found, bpf_program__flags(found) | BPF_F_XDP_HAS_FRAGS);
  return {};
}

Result<void> Object::load() {
  const CallScope scope({.log = &state_->log,
                         .bodies = &state_->bodies,
                         .function_infos = &state_->function_infos,
                         .types = bpf_object__btf(state_->object.get())});
  state_->log.clear();
  const int error = -bpf_object__load(state_->object.get());
  state_->function_infos.clear();
  if (error == 0) return {};
  std::string message = std::string("cannot load the BPF object ") + bpf_object__name(state_->object.get());
  const auto reason = verifier_reason(state_->log);
  if (!reason.empty()) message += ": " + reason;
  return fail_errno(error, std::move(message), load_hint(error));
}

const std::string& Object::verifier_log() const { return state_->log; }

Result<int> Object::program_fd(std::string_view name) const {
  const bpf_program* found = bpf_object__find_program_by_name(state_->object.get(), std::string(name).c_str());
  if (found == nullptr || bpf_program__fd(found) < 0) return no_such("loaded program", name);
  return bpf_program__fd(found);
}

Result<MapInfo> Object::map_info(std::string_view name) const {
  const bpf_map* found = bpf_object__find_map_by_name(state_->object.get(), std::string(name).c_str());
  if (found == nullptr || bpf_map__fd(found) < 0) return no_such("map", name);
  return MapInfo{bpf_map__fd(found), static_cast<std::uint32_t>(bpf_map__type(found)), bpf_map__key_size(found),
                 bpf_map__value_size(found), bpf_map__max_entries(found)};
}

Result<int> Object::map_fd(std::string_view name) const {
  auto info = map_info(name);
  if (!info) return std::unexpected(info.error());
  return info->fd;
}

std::vector<ProgramInfo> Object::programs() const {
  std::vector<ProgramInfo> programs;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, state_->object.get()) {
    programs.push_back({bpf_program__name(program), bpf_program__section_name(program), program_type(program)});
  }
  return programs;
}

bpf_program* Object::find_program(std::string_view name) const {
  return bpf_object__find_program_by_name(state_->object.get(), std::string(name).c_str());
}

bool Object::has_map(std::string_view name) const {
  return bpf_object__find_map_by_name(state_->object.get(), std::string(name).c_str()) != nullptr;
}

Result<Fd> create_ring(const std::string& name, std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto size = std::bit_ceil(std::max(bytes, page));
  const int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, name.c_str(), 0, 0, static_cast<__u32>(size), nullptr);
  if (fd < 0) return fail_errno("cannot create a ring buffer of " + std::to_string(size) + " bytes", load_hint(errno));
  return Fd(fd);
}

Result<void> map_update(int map_fd, const void* key, const void* value) {
  if (bpf_map_update_elem(map_fd, key, value, BPF_ANY) != 0) return fail_errno("cannot write a BPF map element");
  return {};
}

Result<bool> map_lookup(int map_fd, const void* key, void* value) {
  if (bpf_map_lookup_elem(map_fd, key, value) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_errno("cannot read a BPF map element");
}

Result<void> map_delete(int map_fd, const void* key) {
  if (bpf_map_delete_elem(map_fd, key) != 0) return fail_errno("cannot delete a BPF map element");
  return {};
}

Result<bool> map_next_key(int map_fd, const void* key, void* next) {
  if (bpf_map_get_next_key(map_fd, key, next) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_errno("cannot walk a BPF map");
}

int possible_cpus() { return std::max(1, libbpf_num_possible_cpus()); }

}  // namespace sonde::kernel
