// SPDX-License-Identifier: Apache-2.0
// A BPF object file: opened, adjusted, loaded. libbpf stays behind this folder.
#pragma once
#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "sonde/result.hpp"

struct bpf_object;
struct bpf_program;

namespace sonde::kernel {

enum class ProgramType { xdp, tc, other };

struct ProgramInfo {
  std::string name;
  std::string section;
  ProgramType type;
};

struct MapInfo {
  int fd = -1;
  std::uint32_t type = 0;  ///< enum bpf_map_type
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
};

/// Open -> adjust -> load. Closing it unloads what nothing else (a link, a pin) holds.
class Object {
 public:
  /// `elf` must stay valid until load() returned. Own section names: "sonde/xdp" and "sonde/tc".
  [[nodiscard]] static Result<Object> open(std::span<const std::uint8_t> elf, const std::string& name);
  [[nodiscard]] static Result<Object> open_file(const std::string& path);

  Object(Object&&) noexcept;
  Object& operator=(Object&&) noexcept;
  ~Object();

  /// Before load: the value of a `const volatile` global. The verifier treats it as a constant.
  Result<void> set_constant(std::string_view variable, std::span<const std::uint8_t> value);
  template <class T>
  Result<void> set_constant(std::string_view variable, const T& value) {
    return set_constant(variable, {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
  }

  /// Before load: in every program that calls the static subprogram, its body becomes `body` (relative jumps and helper
  /// calls only).
  void replace_subprogram(std::string subprogram, std::vector<bpf_insn> body);

  /// Before load. Unknown names are an error.
  Result<void> set_autoload(std::string_view program, bool load);
  Result<void> set_autocreate(std::string_view map, bool create);
  Result<void> set_max_entries(std::string_view map, std::uint32_t entries);
  /// Before load: the object uses this map in place of one of its own, which must be of the same kind and size. The
  /// descriptor is duplicated.
  Result<void> reuse_map(std::string_view map, int fd);
  /// Before load: the program may see XDP packets in several buffers (jumbo frames; Linux 5.18).
  Result<void> allow_fragments(std::string_view program);

  /// A failure names the program and the line of the verifier that matters; verifier_log() has all of it.
  Result<void> load();
  [[nodiscard]] const std::string& verifier_log() const;

  /// File descriptors stay owned by the object. After load.
  [[nodiscard]] Result<int> program_fd(std::string_view name) const;
  [[nodiscard]] Result<int> map_fd(std::string_view name) const;
  [[nodiscard]] Result<MapInfo> map_info(std::string_view name) const;
  [[nodiscard]] std::vector<ProgramInfo> programs() const;
  [[nodiscard]] bool has_map(std::string_view name) const;
  /// For this folder; null: there is none.
  [[nodiscard]] bpf_program* find_program(std::string_view name) const;

 private:
  struct State;
  explicit Object(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A ring buffer map of `bytes` (rounded up to a power of two, at least a page).
[[nodiscard]] Result<Fd> create_ring(const std::string& name, std::size_t bytes);

/// map[key] = value through the syscall.
[[nodiscard]] Result<void> map_update(int map_fd, const void* key, const void* value);
/// Looks the key up; false when it is not there. `value` has value_size bytes, times the possible CPUs (each rounded up
/// to 8) for per-CPU maps.
[[nodiscard]] Result<bool> map_lookup(int map_fd, const void* key, void* value);
[[nodiscard]] Result<void> map_delete(int map_fd, const void* key);
/// Key after `key` (null: the first); false at the end.
[[nodiscard]] Result<bool> map_next_key(int map_fd, const void* key, void* next);

/// CPUs that per-CPU maps have a slot for.
[[nodiscard]] int possible_cpus();

/// Sums element 0 of a per-CPU array of structs of u64 members.
template <class T>
[[nodiscard]] Result<T> sum_per_cpu(int map_fd, const void* key) {
  static_assert(sizeof(T) % sizeof(std::uint64_t) == 0);
  constexpr std::size_t words = sizeof(T) / sizeof(std::uint64_t);
  std::vector<std::uint64_t> values(words * static_cast<std::size_t>(possible_cpus()));
  auto found = map_lookup(map_fd, key, values.data());
  if (!found) return std::unexpected(found.error());
  T sum{};
  auto* sums = reinterpret_cast<std::uint64_t*>(&sum);
  for (std::size_t i = 0; i < values.size(); ++i) sums[i % words] += values[i];
  return sum;
}

}  // namespace sonde::kernel
