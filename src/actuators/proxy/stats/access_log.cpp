// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/access_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "actuators/proxy/process/created.hpp"
#include "actuators/proxy/process/log.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

// After the first line the thread lets more of them come: a wake-up costs a worker more than twenty lines do.
constexpr auto gathering = 20ms;

Result<Fd> open_path(const std::string& path) {
  if (path != "-") {
    if (auto made = create_folders_above(path); !made) return std::unexpected(made.error());
    return open_to_append(path);
  }
  Fd file(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!file) return fail_errno("standard output");
  return file;
}

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& path, std::size_t capacity) {
  auto file = open_path(path);
  if (!file) return std::unexpected(file.error());
  return std::unique_ptr<AccessLog>(new AccessLog(path, std::move(*file), capacity));
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  write_waiting();
}

void AccessLog::add(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() + line.size() > capacity_) {
    ++lost_;
    return;
  }
  const bool was_empty = waiting_.empty();
  waiting_ += line;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  if (was_empty) wake_.notify_one();
}

void AccessLog::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
      wake_.wait_for(lock, gathering, [this] { return stopped_; });
      if (stopped_) return;
    }
    write_waiting();
  }
}

void AccessLog::write_waiting() {
  const std::lock_guard file_lock(file_mutex_);
  std::string lines;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(waiting_);
  }
  if (!lines.empty()) write_lines(lines);
}

// What cannot be written is lost: the disk is full, or the reader of a pipe has gone.
void AccessLog::write_lines(std::string_view lines) {
  if (line_is_cut_ && ::write(file_.get(), "\n", 1) == 1) line_is_cut_ = false;
  std::size_t done = 0;
  int code = 0;
  while (done < lines.size() && code == 0) {
    const auto size = ::write(file_.get(), lines.data() + done, lines.size() - done);
    if (size >= 0)
      done += static_cast<std::size_t>(size);
    else if (errno != EINTR)
      code = errno;
  }
  const auto written =
      static_cast<std::uint64_t>(std::count(lines.begin(), lines.begin() + static_cast<long>(done), '\n'));
  const auto left = static_cast<std::uint64_t>(std::count(lines.begin() + static_cast<long>(done), lines.end(), '\n'));
  written_ += written;
  lost_ += left;
  if (done > 0) line_is_cut_ = lines[done - 1] != '\n';
  if (code != 0 && code != last_error_)
    log(LogLevel::error, "access log", "lines are lost: {}: {}", path_, std::strerror(code));
  last_error_ = code;
}

Result<void> AccessLog::reopen() {
  if (path_ == "-") return {};
  write_waiting();
  auto file = open_path(path_);
  if (!file) return std::unexpected(file.error());
  const std::lock_guard lock(file_mutex_);
  file_ = std::move(*file);
  line_is_cut_ = false;
  return {};
}

}  // namespace sonde::proxy
