// SPDX-License-Identifier: Apache-2.0
#include "sensors/owners/rungs.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <system_error>
#include <thread>

#include "kernel/shared_links.hpp"
#include "kernel/tracing.hpp"

extern "C" {
extern const std::uint8_t sonde_owners_bpf_object[];
extern const std::uint8_t sonde_owners_bpf_object_end[];
}

namespace sonde::owners {
namespace {

using Programs = std::vector<const char*>;

constexpr const char* storage = "sonde_owners";

const char* accept_program() {
  return kernel::function_arguments("inet_csk_accept") == 4 ? "sonde_fexit_accept_4" : "sonde_fexit_accept";
}

Programs fentry_programs() {
  Programs programs{"sonde_fentry_tcp_send", "sonde_fentry_udp_send", "sonde_fentry_udpv6_send", accept_program()};
  if (kernel::has_function("tcp_sendpage")) programs.push_back("sonde_fentry_tcp_sendpage");
  return programs;
}

// cgroup programs where they serve: the tracepoint of Linux 6.3 would run a second program for every TCP send.
Programs tracepoint_programs() {
  if (kernel::has_tracepoint("tcp_sendmsg_locked"))
    return {"sonde_tracepoint_tcp_send", "sonde_connect4", "sonde_connect6", "sonde_sendmsg4", "sonde_sendmsg6"};
  if (kernel::has_tracepoint("sock_send_length")) return {"sonde_tracepoint_send"};
  return {};
}

Programs kprobe_programs() {
  Programs programs{"sonde_kprobe_tcp_send", "sonde_kprobe_udp_send", "sonde_kprobe_udpv6_send", "sonde_kprobe_accept",
                    "sonde_destroyed"};
  if (kernel::has_function("tcp_sendpage")) programs.push_back("sonde_kprobe_tcp_sendpage");
  return programs;
}

Programs cgroup_programs() { return {"sonde_connect4", "sonde_connect6", "sonde_sendmsg4", "sonde_sendmsg6"}; }

// kprobes come after the tracepoints: they cannot reach socket-local storage, and cost more a call.
constexpr std::array<Rung, 4> ladder = {{
    {"fentry", "functions tcp_sendmsg_locked, udp_sendmsg, inet_csk_accept by fentry and fexit (needs ftrace)",
     SONDE_STORE_SK_STORAGE, fentry_programs},
    {"tracepoint", "tp_btf tcp_sendmsg_locked and cgroup v2 for UDP (Linux 6.16), tp_btf sock_send_length (6.3)",
     SONDE_STORE_SK_STORAGE, tracepoint_programs},
    {"kprobe", "the same functions by kprobe and kretprobe, owners in a map by socket cookie", SONDE_STORE_COOKIE,
     kprobe_programs},
    {"cgroup", "cgroup v2 connect and sendmsg: who opened a socket, not who sends on it", SONDE_STORE_SK_STORAGE,
     cgroup_programs},
}};

// Every rung has these: who makes a socket, which one is an accepted one, and the seeding iterator.
Programs with_common(const Rung& rung, Programs programs) {
  programs.insert(programs.end(), {"sonde_created", "sonde_state"});
  if (rung.store == SONDE_STORE_COOKIE) programs.push_back("sonde_released");
  return programs;
}

bool is_cgroup(const kernel::Object& object, std::string_view program) {
  for (const auto& info : object.programs())
    if (info.name == program) return info.section.starts_with("cgroup/");
  return false;
}

// `shared`: the storage of another process, whose programs fill it; then only the iterator is loaded.
Result<kernel::Object> load(const Rung& rung, const Programs& programs, std::uint32_t map_size, const Fd& shared) {
  auto object = kernel::Object::open({sonde_owners_bpf_object, sonde_owners_bpf_object_end}, "sonde_owners");
  if (!object) return object;
  const std::uint32_t store = rung.store;
  const std::uint32_t entries = rung.store == SONDE_STORE_COOKIE ? map_size : 1;
  for (const auto& done :
       {object->set_constant("sonde_owner_store", store), object->set_max_entries("sonde_owners_by_cookie", entries),
        shared ? object->reuse_map(storage, shared.get()) : Result<void>{}})
    if (!done) return std::unexpected(done.error());
  for (const auto& program : object->programs()) {
    const bool hook = !shared && std::ranges::find(programs, program.name) != programs.end();
    auto set = object->set_autoload(program.name, hook || program.name == "sonde_seed");
    if (!set) return std::unexpected(set.error());
  }
  auto loaded = object->load();
  if (!loaded) return std::unexpected(loaded.error());
  return object;
}

Result<std::vector<kernel::Link>> attach_programs(const kernel::Object& object, const Programs& programs) {
  std::vector<kernel::Link> links;
  links.reserve(programs.size());
  for (const auto* program : programs) {
    auto link = is_cgroup(object, program) ? kernel::attach_cgroup_root(object, program)
                                           : kernel::attach_tracing(object, program);
    if (!link) return std::unexpected(link.error());
    links.push_back(std::move(*link));
  }
  return links;
}

// A second sonde would cost every send a second time for the same record.
Result<Attached> join(const Rung& rung, const Programs& programs) {
  if (rung.store != SONDE_STORE_SK_STORAGE) return fail(ErrorKind::failed, "this store is not shared");
  auto found = kernel::find_shared_links({storage, BPF_MAP_TYPE_SK_STORAGE, sizeof(sonde_owner)},
                                         {programs.begin(), programs.end()});
  if (!found) return std::unexpected(found.error());
  auto object = load(rung, programs, 1, found->map);
  if (!object) return std::unexpected(object.error());
  std::vector<kernel::Link> links;
  links.reserve(found->links.size());
  for (auto& link : found->links) links.emplace_back(rung.name, std::move(link));
  return Attached{std::move(*object), std::move(links), &rung,
                  std::string("owners by ") + rung.name + ", shared with another sonde", true};
}

Result<Attached> attach(const Rung& rung, std::uint32_t map_size, Sharing sharing) {
  auto programs = rung.programs();
  if (programs.empty()) return fail(ErrorKind::unsupported, "this kernel has none of its hooks");
  programs = with_common(rung, std::move(programs));
  if (sharing == Sharing::allowed)
    if (auto joined = join(rung, programs)) return joined;
  auto object = load(rung, programs, map_size, Fd());
  if (!object) return std::unexpected(object.error());
  auto links = attach_programs(*object, programs);
  if (!links) return std::unexpected(links.error());
  return Attached{std::move(*object), std::move(*links), &rung, std::string("owners by ") + rung.name};
}

// Two that start at once would not find each other's hooks. The lock is that of a file which every host with BTF has;
// it goes with the descriptor. Who cannot get it for two seconds goes on without: then both have hooks of their own.
Fd lock_start() {
  constexpr int attempts = 200;
  Fd file(::open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC));
  for (int i = 0; file && i < attempts && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  return file;
}

std::string names() {
  std::string all = "auto";
  for (const auto& rung : ladder) all += std::string(", ") + rung.name;
  return all;
}

// For the notice of every start; `sonde doctor` has the whole story.
std::string short_reason(const Rung& rung, const Error& error) {
  return std::string(rung.name) + ": " +
         (error.code != 0 ? std::generic_category().message(error.code) : error.message);
}

}  // namespace

std::span<const Rung> rungs() { return ladder; }

Result<Attached> attach_rung(const std::string& name, std::uint32_t map_size, Sharing sharing) {
  const Fd lock = sharing == Sharing::allowed ? lock_start() : Fd();
  std::string reasons, failed;
  for (const auto& rung : ladder) {
    if (name != "auto" && name != rung.name) continue;
    auto attached = attach(rung, map_size, sharing);
    if (attached) {
      if (!failed.empty()) attached->notice += " (not by " + failed + ")";
      return attached;
    }
    failed += (failed.empty() ? "" : ", ") + short_reason(rung, attached.error());
    reasons += (reasons.empty() ? "" : "; ") + std::string(rung.name) + ": " + attached.error().text();
  }
  if (reasons.empty()) return fail(ErrorKind::usage, "--hook '" + name + "': expected one of " + names());
  return fail(ErrorKind::unsupported, "owners cannot be recorded: " + reasons, "`sonde doctor` tells what is missing");
}

// Socket-local storage is looked up by a descriptor of the socket (bpf_fd_sk_storage_lookup_elem).
std::optional<sonde_owner> recorded_owner(const Attached& attached, int socket) {
  const bool by_cookie = attached.rung->store == SONDE_STORE_COOKIE;
  const auto map = attached.object.map_fd(by_cookie ? "sonde_owners_by_cookie" : storage);
  if (!map) return {};
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (by_cookie && ::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return {};
  sonde_owner owner{};
  const void* key = by_cookie ? static_cast<const void*>(&cookie) : &socket;
  const auto found = kernel::map_lookup(*map, key, &owner);
  return found && *found ? std::optional(owner) : std::nullopt;
}

}  // namespace sonde::owners
