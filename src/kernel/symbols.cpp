// SPDX-License-Identifier: Apache-2.0
#include "kernel/symbols.hpp"

#include <bpf/btf.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sonde::kernel {
namespace {

/// The functions of one reading of /proc/kallsyms. Names lie in one pool: there are some 100,000 of them.
class FunctionTable {
 public:
  static FunctionTable read();

  [[nodiscard]] std::string find(std::uint64_t address) const;
  /// In the kernel's own text, which never changes; else in a module or a BPF program, which come and go.
  [[nodiscard]] bool holds_for_good(std::uint64_t address) const {
    return address >= text_begin_ && address < text_end_;
  }

 private:
  struct Function {
    std::uint64_t address;
    std::uint32_t name;  // offset in the pool, NUL-terminated
  };

  void add_line(std::string_view line);
  void sort();

  std::vector<Function> functions_;
  std::string names_;
  std::uint64_t text_begin_ = 0;
  std::uint64_t text_end_ = 0;
};

// "ffffffff81000000 T _stext", of a module with "\t[name]" behind.
void FunctionTable::add_line(std::string_view line) {
  std::uint64_t address = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), address, 16);
  const auto rest = line.substr(static_cast<std::size_t>(end - line.data()));
  if (error != std::errc{} || address == 0 || rest.size() < 4) return;
  const auto name = rest.substr(3, rest.find_first_of("\t\n", 3) - 3);
  if (name == "_stext") text_begin_ = address;
  if (name == "_etext") text_end_ = address;
  if (std::string_view("tTwW").find(rest[1]) == std::string_view::npos) return;
  functions_.push_back({address, static_cast<std::uint32_t>(names_.size())});
  names_.append(name).push_back('\0');
}

// Aliases have one address: the first of the file stands, as in the kernel's own stack traces.
void FunctionTable::sort() {
  std::ranges::stable_sort(functions_, {}, &Function::address);
  const auto aliases = std::ranges::unique(functions_, {}, &Function::address);
  functions_.erase(aliases.begin(), aliases.end());
}

FunctionTable FunctionTable::read() {
  FunctionTable table;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/kallsyms", "re"), &std::fclose);
  if (!file) return table;
  char line[1024];
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): whoever asks meanwhile waits for this table
  while (std::fgets(line, sizeof(line), file.get()) != nullptr) table.add_line(line);
  table.sort();
  return table;
}

std::string FunctionTable::find(std::uint64_t address) const {
  const auto after = std::ranges::upper_bound(functions_, address, {}, &Function::address);
  if (after == functions_.begin()) return {};
  return &names_[std::prev(after)->name];
}

/// What was asked before is remembered, so that only the first question about an address of a module reads anew.
class Functions {
 public:
  std::string find(std::uint64_t address) {
    const std::lock_guard guard(mutex_);
    if (const auto known = known_.find(address); known != known_.end()) return known->second;
    if (known_.empty() || !table_.holds_for_good(address)) table_ = FunctionTable::read();
    if (known_.size() >= most_known) known_.clear();
    return known_.emplace(address, table_.find(address)).first->second;
  }

 private:
  static constexpr std::size_t most_known = 4096;

  std::mutex mutex_;
  FunctionTable table_;
  std::unordered_map<std::uint64_t, std::string> known_;
};

using EnumNames = std::map<std::uint32_t, std::string>;

std::string without_prefix(std::string_view name, std::string_view prefix) {
  return std::string(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
}

EnumNames read_enum(const btf& types, const char* name, std::string_view prefix) {
  EnumNames names;
  const auto id = btf__find_by_name_kind(&types, name, BTF_KIND_ENUM);
  if (id < 0) return names;
  const auto* type = btf__type_by_id(&types, static_cast<__u32>(id));
  const auto* entry = btf_enum(type);
  for (int i = 0; i < btf_vlen(type); ++i, ++entry)
    names.emplace(static_cast<std::uint32_t>(entry->val),
                  without_prefix(btf__name_by_offset(&types, entry->name_off), prefix));
  return names;
}

EnumNames read_enum(std::string_view type, std::string_view prefix) {
  const std::unique_ptr<btf, void (*)(btf*)> types(btf__load_vmlinux_btf(), &btf__free);
  return types ? read_enum(*types, std::string(type).c_str(), prefix) : EnumNames{};
}

}  // namespace

std::string function_at(std::uint64_t address) {
  static Functions functions;
  return functions.find(address);
}

const EnumNames& enum_names(std::string_view type, std::string_view prefix) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::string>, EnumNames> enums;
  const std::lock_guard guard(mutex);
  const auto [entry, is_new] = enums.try_emplace({std::string(type), std::string(prefix)});
  if (is_new) entry->second = read_enum(type, prefix);
  return entry->second;
}

}  // namespace sonde::kernel
