// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/log_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "actuators/proxy/process/created.hpp"

namespace sonde::proxy {
namespace {

// By spdlog::level: trace, debug, info, warn, err, critical.
constexpr std::array<std::string_view, 6> colors{"\033[2m", "\033[36m", "\033[32m", "\033[33m", "\033[31m", "\033[31m"};
constexpr std::string_view no_color = "\033[0m";

void append(spdlog::memory_buf_t& to, std::string_view text) { to.append(text.data(), text.data() + text.size()); }

}  // namespace

void LineSink::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) {
  spdlog::memory_buf_t plain;
  formatter_->format(message, plain);
  const std::string_view text(plain.data(), plain.size());
  if (!color_ || message.color_range_end <= message.color_range_start) return append(line, text);
  append(line, text.substr(0, message.color_range_start));
  append(line, colors[static_cast<std::size_t>(message.level) % colors.size()]);
  append(line, text.substr(message.color_range_start, message.color_range_end - message.color_range_start));
  append(line, no_color);
  append(line, text.substr(message.color_range_end));
}

bool LineSink::write_line(const spdlog::memory_buf_t& line) {
  std::size_t done = 0;
  while (done < line.size()) {
    const auto size = ::write(fd_, line.data() + done, line.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      lost_code_ = errno;
      return false;
    }
    done += static_cast<std::size_t>(size);
  }
  written(done);
  return true;
}

void LineSink::remark(const std::string& text) {
  const spdlog::details::log_msg message("log", spdlog::level::warn, text);
  spdlog::memory_buf_t line;
  format(message, line);
  if (!write_line(line)) ++lost_;
}

void LineSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  format(message, line);
  prepare(line.size());
  if (lost_ > 0) {
    const std::uint64_t lost = std::exchange(lost_, 0);
    remark(fmt::format("{} lines of this log were lost: {}", lost, std::strerror(lost_code_)));
    if (lost_ > 0) lost_ = lost;  // the remark itself need not be counted
  }
  if (!write_line(line)) ++lost_;
}

Result<std::shared_ptr<FileSink>> FileSink::open(const std::string& path, Rotation rotation) {
  std::shared_ptr<FileSink> sink(new FileSink(path, rotation));
  if (auto made = create_folders_above(path); !made) return std::unexpected(made.error());
  if (auto opened = sink->open_file(); !opened) return std::unexpected(opened.error());
  return sink;
}

Result<void> FileSink::open_file() {
  auto file = open_to_append(path_);
  if (!file) return std::unexpected(file.error());
  struct stat status {};
  size_ = ::fstat(file->get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  rotate_at_ = rotation_.max_size;
  set_descriptor(file->get());
  file_ = std::move(*file);  // the old one is closed after nobody writes to it
  return {};
}

void FileSink::reopen() {
  const std::lock_guard lock(mutex_);
  if (const auto opened = open_file(); !opened)
    remark(fmt::format("not reopened, goes on in the old file: {}", opened.error().text()));
}

void FileSink::prepare(std::size_t size) {
  if (rotation_.max_size == 0 || size_ == 0 || size_ + size <= rotate_at_) return;
  const auto rotated = rotate();
  if (rotated) return;
  rotate_at_ = size_ + rotation_.max_size;  // not with every line
  if (rotation_complained_) return;
  rotation_complained_ = true;
  remark(fmt::format("not rotated, grows: {}", rotated.error().text()));
}

Result<void> FileSink::rotate() {
  if (rotation_.max_backups == 0) {
    if (::ftruncate(file_.get(), 0) != 0) return fail_errno(path_);
    size_ = 0;
    return {};
  }
  for (unsigned number = rotation_.max_backups; number > 1; --number)
    if (std::rename(backup(number - 1).c_str(), backup(number).c_str()) != 0 && errno != ENOENT)
      return fail_errno(backup(number));
  if (std::rename(path_.c_str(), backup(1).c_str()) != 0 && errno != ENOENT) return fail_errno(backup(1));
  return open_file();
}

}  // namespace sonde::proxy
