// SPDX-License-Identifier: Apache-2.0
#include "doctor/bpf_call.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace sonde::doctor {
namespace {

int bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof(attributes)));
}

bpf_attr zeroed() {
  bpf_attr attributes;  // the kernel wants the padding of the union zero too
  std::memset(&attributes, 0, sizeof(attributes));
  return attributes;
}

std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

Result<bpf_prog_info> program_info(int program_fd) {
  bpf_prog_info info{};
  auto attributes = zeroed();
  attributes.info.bpf_fd = static_cast<__u32>(program_fd);
  attributes.info.info_len = sizeof(info);
  attributes.info.info = address(&info);
  if (bpf(BPF_OBJ_GET_INFO_BY_FD, attributes) != 0) return fail_errno("cannot ask about a BPF program");
  return info;
}

constexpr bpf_insn instruction(int code, int destination, int source, int offset, int immediate) {
  return {static_cast<__u8>(code), static_cast<__u8>(destination), static_cast<__u8>(source),
          static_cast<__s16>(offset), immediate};
}
constexpr auto move_number = BPF_ALU64 | BPF_MOV | BPF_K;
constexpr auto move_register = BPF_ALU64 | BPF_MOV | BPF_X;
// NOLINTNEXTLINE(misc-redundant-expression): BPF_ADD and BPF_K are both 0
constexpr auto add_number = BPF_ALU64 | BPF_ADD | BPF_K;
constexpr bpf_insn leave = instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

constexpr std::array pass = {instruction(move_number, BPF_REG_0, 0, 0, 2), leave};

// bpf_probe_read_kernel(fp - 8, 8, 0): a read of address 0 fails and does no harm. The program never runs.
constexpr std::array kernel_read = {instruction(move_register, BPF_REG_1, BPF_REG_10, 0, 0),
                                    instruction(add_number, BPF_REG_1, 0, 0, -8),
                                    instruction(move_number, BPF_REG_2, 0, 0, 8),
                                    instruction(move_number, BPF_REG_3, 0, 0, 0),
                                    instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel),
                                    instruction(move_number, BPF_REG_0, 0, 0, 0),
                                    leave};

}  // namespace

Result<Fd> create_map(bpf_map_type type, std::uint32_t key_size, std::uint32_t value_size, std::uint32_t entries) {
  auto attributes = zeroed();
  attributes.map_type = type;
  attributes.key_size = key_size;
  attributes.value_size = value_size;
  attributes.max_entries = entries;
  Fd fd(bpf(BPF_MAP_CREATE, attributes));
  if (!fd) return fail_errno("cannot create a BPF map");
  return fd;
}

Result<Fd> load_instructions(bpf_prog_type type, std::span<const bpf_insn> instructions, std::uint32_t flags) {
  auto attributes = zeroed();
  attributes.prog_type = type;
  attributes.insns = address(instructions.data());
  attributes.insn_cnt = static_cast<__u32>(instructions.size());
  attributes.license = address("GPL");
  attributes.prog_flags = flags;
  Fd fd(bpf(BPF_PROG_LOAD, attributes));
  if (!fd) return fail_errno("cannot load a BPF program");
  return fd;
}

Result<std::uint32_t> machine_code_size(int program_fd) {
  const auto info = program_info(program_fd);
  if (!info) return std::unexpected(info.error());
  return info->jited_prog_len;
}

std::string program_name(std::uint32_t id) {
  auto attributes = zeroed();
  attributes.prog_id = id;
  const Fd fd(bpf(BPF_PROG_GET_FD_BY_ID, attributes));
  const auto info = fd ? program_info(fd.get()) : Result<bpf_prog_info>(fail(ErrorKind::failed, "no such program"));
  return info ? std::string(info->name, ::strnlen(info->name, sizeof(info->name))) : std::string();
}

std::span<const bpf_insn> pass_instructions() { return pass; }
std::span<const bpf_insn> kernel_read_instructions() { return kernel_read; }

}  // namespace sonde::doctor
