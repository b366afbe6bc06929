// SPDX-License-Identifier: Apache-2.0
// Lines for a file that a thread of its own writes, so that a slow disk delays no worker.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

class AccessLog {
 public:
  /// "-": standard output. `capacity`: bytes that may wait for the disk; lines beyond it are lost, and counted.
  [[nodiscard]] static Result<std::unique_ptr<AccessLog>> open(const std::string& path,
                                                               std::size_t capacity = std::size_t{8} << 20);
  /// Writes what waits.
  ~AccessLog();

  /// `line`: with its end. The first call starts the thread, so it is to come after privileges are dropped.
  void add(std::string_view line);
  /// Opens the path again; where that fails the old file is written on. What waits goes to the old one.
  [[nodiscard]] Result<void> reopen();

  [[nodiscard]] std::uint64_t written() const { return written_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  AccessLog(std::string path, Fd file, std::size_t capacity)
      : path_(std::move(path)), file_(std::move(file)), capacity_(capacity) {}
  void run();
  void write_waiting();
  void write_lines(std::string_view lines);

  std::string path_;
  std::mutex file_mutex_;  ///< before mutex_
  Fd file_;
  bool line_is_cut_ = false;  ///< the last write ended within a line
  int last_error_ = 0;
  std::size_t capacity_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::string waiting_;
  bool stopped_ = false;
  std::thread thread_;

  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace sonde::proxy
