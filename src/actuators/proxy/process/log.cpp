// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actuators/proxy/process/log_file.hpp"

namespace sonde::proxy {
namespace {

// By LogLevel.
constexpr std::array<std::string_view, 6> names{"off", "error", "warn", "info", "debug", "trace"};
constexpr std::array spdlog_levels{spdlog::level::off,  spdlog::level::err,   spdlog::level::warn,
                                   spdlog::level::info, spdlog::level::debug, spdlog::level::trace};

struct Outputs {
  std::vector<std::shared_ptr<LineSink>> sinks;
  std::shared_ptr<FileSink> file;  ///< also among the sinks
};

// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): the log of the process
std::atomic<LogLevel> wanted{LogLevel::off};
std::mutex mutex;
std::shared_ptr<const Outputs> outputs;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

std::shared_ptr<const Outputs> current() {
  const std::lock_guard lock(mutex);
  return outputs;
}

/// "%L" of the pattern: the level's name in capitals, five wide.
class LevelName : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& line) override {
    static constexpr std::array<std::string_view, 6> texts{"TRACE", "DEBUG", "INFO ", "WARN ", "ERROR", "ERROR"};
    const std::string_view text = texts[static_cast<std::size_t>(message.level) % texts.size()];
    line.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelName>(); }
};

std::unique_ptr<spdlog::formatter> make_formatter(const ProxyLog& config) {
  std::string pattern;
  if (config.show_timestamp) pattern += "[%Y-%m-%d %H:%M:%S.%e%z] ";
  pattern += "%^%L%$ ";
  if (config.show_module) pattern += "[%n] ";
  pattern += "%v";
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<LevelName>('L');
  formatter->set_pattern(pattern);
  return formatter;
}

std::optional<LogLevel> level_of(std::string_view name) {
  const auto* const found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<LogLevel>(found - names.begin());
}

// What clients send may get into the log: it must not be able to make lines of its own, or to speak to a terminal.
std::string escaped(std::string_view line) {
  std::string text;
  for (const char c : line) {
    if (const auto byte = static_cast<unsigned char>(c); byte >= 0x20 && byte != 0x7f)
      text += c;
    else
      text += fmt::format("\\x{:02x}", byte);
  }
  return text;
}

bool is_clean(std::string_view line) {
  return std::ranges::all_of(line, [](unsigned char byte) { return byte >= 0x20 && byte != 0x7f; });
}

}  // namespace

Result<void> open_log(const ProxyLog& config) {
  const auto level = level_of(config.level);
  if (!level)
    return fail(ErrorKind::usage,
                fmt::format("log.level: \"{}\": expected off, error, warn, info, debug or trace", config.level));
  static constexpr std::array<std::string_view, 4> targets{"stdout", "stderr", "file", "both"};
  if (std::ranges::find(targets, config.output) == targets.end())
    return fail(ErrorKind::usage,
                fmt::format("log.output: \"{}\": expected stdout, stderr, file or both", config.output));

  auto opened = std::make_shared<Outputs>();
  if (*level != LogLevel::off) {
    const auto terminal = [&](int fd) {
      opened->sinks.push_back(std::make_shared<LineSink>(fd, config.use_color && ::isatty(fd) == 1));
    };
    if (config.output == "stdout" || config.output == "both") terminal(STDOUT_FILENO);
    if (config.output == "stderr") terminal(STDERR_FILENO);
    if (config.output == "file" || config.output == "both") {
      if (config.file_path.empty()) return fail(ErrorKind::usage, "log.file_path: expected a file for this log.output");
      const Rotation rotation{config.enable_rotation ? std::uint64_t{config.max_size_mb} << 20 : 0, config.max_backups};
      auto file = FileSink::open(config.file_path, rotation);
      if (!file) return std::unexpected(file.error());
      opened->file = *file;
      opened->sinks.push_back(*file);
    }
  }
  for (const auto& sink : opened->sinks) sink->set_formatter(make_formatter(config));
  {
    const std::lock_guard lock(mutex);
    outputs = std::move(opened);
  }
  wanted.store(*level, std::memory_order_relaxed);
  return {};
}

bool log_wants(LogLevel level) { return level != LogLevel::off && level <= wanted.load(std::memory_order_relaxed); }

void write_log(LogLevel level, std::string_view module, std::string_view line) {
  const auto to = current();
  if (!to || !log_wants(level)) return;
  std::string clean;
  if (!is_clean(line)) line = clean = escaped(line);
  const spdlog::details::log_msg message(spdlog::string_view_t(module.data(), module.size()),
                                         spdlog_levels[static_cast<std::size_t>(level)],
                                         spdlog::string_view_t(line.data(), line.size()));
  for (const auto& sink : to->sinks) sink->log(message);
}

void reopen_log() {
  if (const auto to = current(); to && to->file) to->file->reopen();
}

}  // namespace sonde::proxy
