// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/proc_reader.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "base/fd.hpp"
#include "enrich/process/container.hpp"

namespace sonde::enrich {
namespace {

constexpr std::size_t most_text = 16384;

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// The n-th word, counted from 0, of a text with single blanks.
std::string_view word(std::string_view text, int index) {
  while (index-- > 0) text.remove_prefix(std::min(text.find(' '), text.size() - 1) + 1);
  return text.substr(0, text.find_first_of(" \n"));
}

// A descriptor of /proc/PID stands for the process: once it has ended every read fails, whoever has its number then.
class Folder {
 public:
  Folder(const std::string& root, std::uint32_t pid)
      : fd_(::open((root + "/" + std::to_string(pid)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

  [[nodiscard]] explicit operator bool() const { return static_cast<bool>(fd_); }

  // At most `most` bytes of a file; empty if it cannot be read.
  [[nodiscard]] std::string text(const char* name, std::size_t most = most_text) const {
    const Fd file(::openat(fd_.get(), name, O_RDONLY | O_CLOEXEC));
    std::string text;
    if (!file) return text;
    text.resize(most);
    std::size_t size = 0;
    while (size < most) {
      const auto got = ::read(file.get(), text.data() + size, most - size);
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
  }

  [[nodiscard]] std::string link(const char* name) const {
    std::array<char, 4096> target;
    const auto size = ::readlinkat(fd_.get(), name, target.data(), target.size());
    return size <= 0 ? std::string{} : std::string(target.data(), static_cast<std::size_t>(size));
  }

 private:
  Fd fd_;
};

std::string without_mark(std::string path) {
  constexpr std::string_view mark = " (deleted)";
  if (path.ends_with(mark)) path.resize(path.size() - mark.size());
  return path;
}

// "net:[4026531840]".
std::uint32_t namespace_in(std::string_view link) {
  const auto open = link.find('[');
  if (open == std::string_view::npos || !link.ends_with(']')) return 0;
  return number_in<std::uint32_t>(link.substr(open + 1, link.size() - open - 2)).value_or(0);
}

}  // namespace

std::vector<std::string> split_command_line(std::string_view bytes, bool cut) {
  const auto last = bytes.find_last_not_of('\0');
  if (last == std::string_view::npos) return {};
  if (bytes.size() > last + 3) bytes = bytes.substr(0, last + 1);
  if (!cut && bytes.ends_with('\0')) bytes.remove_suffix(1);
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= bytes.size();) {
    const auto end = std::min(bytes.find('\0', at), bytes.size());
    words.emplace_back(bytes.substr(at, end - at));
    at = end + 1;
  }
  if (cut) words.back() += "...";
  return words;
}

std::optional<Stat> parse_stat(std::string_view text) {
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  if (close + 2 >= text.size()) return std::nullopt;
  const auto rest = text.substr(close + 2);  // from the third field on (proc(5))
  const auto parent = number_in<std::uint32_t>(word(rest, 4 - 3));
  const auto start = number_in<std::uint64_t>(word(rest, 22 - 3));
  if (!parent || !start) return std::nullopt;
  return Stat{std::string(text.substr(open + 1, close - open - 1)), *parent, *start};
}

std::optional<std::uint32_t> parse_effective_uid(std::string_view text) {
  constexpr std::string_view name = "\nUid:\t";
  const auto at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + name.size());
  const auto tab = text.find('\t');  // real, effective, saved, file system
  if (tab == std::string_view::npos) return std::nullopt;
  text.remove_prefix(tab + 1);
  return number_in<std::uint32_t>(text.substr(0, text.find_first_of("\t\n")));
}

std::optional<std::uint64_t> read_start_ticks(const std::string& root, std::uint32_t pid) {
  const Folder folder(root, pid);
  if (!folder) return std::nullopt;
  const auto stat = parse_stat(folder.text("stat"));
  return stat ? std::optional(stat->start_ticks) : std::nullopt;
}

std::optional<Process> read_process(const std::string& root, std::uint32_t pid, const std::string& runc_states) {
  const Folder folder(root, pid);
  if (!folder) return std::nullopt;
  auto stat = parse_stat(folder.text("stat"));
  const auto uid = parse_effective_uid(folder.text("status"));
  if (!stat || !uid) return std::nullopt;
  Process process;
  process.pid = pid;
  process.parent_pid = stat->parent_pid;
  process.start_time_ns = stat->start_ticks * ns_per_tick;
  process.uid = *uid;
  process.comm = std::move(stat->comm);
  process.executable = without_mark(folder.link("exe"));
  const auto line = folder.text("cmdline", most_command_line + 1);
  const bool cut = line.size() > most_command_line;
  process.command_line = split_command_line(std::string_view(line).substr(0, most_command_line), cut);
  auto placement = place(cgroup_paths(folder.text("cgroup")), runc_states);
  process.cgroup = std::move(placement.cgroup);
  process.container = std::move(placement.container);
  process.network_namespace = namespace_in(folder.link("ns/net"));
  return process;
}

std::vector<std::uint32_t> list_processes(const std::string& root) {
  std::vector<std::uint32_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(root.c_str()), ::closedir);
  if (!folder) return pids;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this call's own
  while (const dirent* entry = ::readdir(folder.get())) {
    const auto pid = number_in<std::uint32_t>(entry->d_name);
    if (pid) pids.push_back(*pid);
  }
  return pids;
}

}  // namespace sonde::enrich
