// SPDX-License-Identifier: Apache-2.0
// Where lines of the log go: a descriptor that is written at once, or a file that is rotated.
#pragma once
#include <spdlog/sinks/base_sink.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Writes each line with one write(2), so that lines of several processes do not mix. Lines that could not be written
/// are counted; the next one that can be is preceded by a line that says how many, and why.
class LineSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  /// Does not own the descriptor.
  LineSink(int fd, bool color) : fd_(fd), color_(color) {}

 protected:
  explicit LineSink(bool color) : color_(color) {}
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}
  /// Before `size` bytes are written.
  virtual void prepare(std::size_t size) { (void)size; }
  virtual void written(std::size_t size) { (void)size; }
  void set_descriptor(int fd) { fd_ = fd; }
  /// A line about the log itself, of level warn.
  void remark(const std::string& text);

 private:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line);
  bool write_line(const spdlog::memory_buf_t& line);

  int fd_ = -1;
  bool color_;
  std::uint64_t lost_ = 0;
  int lost_code_ = 0;  ///< errno of the last line that was lost
};

struct Rotation {
  std::uint64_t max_size = 0;  ///< bytes; 0: never
  unsigned max_backups = 0;    ///< "log.1" is the youngest
};

class FileSink : public LineSink {
 public:
  /// Makes the folders above it that are not there.
  [[nodiscard]] static Result<std::shared_ptr<FileSink>> open(const std::string& path, Rotation rotation);
  /// By its path, after somebody renamed it. Where that fails the old one is written on, and says why.
  void reopen();

 protected:
  void prepare(std::size_t size) override;
  void written(std::size_t size) override { size_ += size; }

 private:
  FileSink(std::string path, Rotation rotation) : LineSink(false), path_(std::move(path)), rotation_(rotation) {}
  Result<void> open_file();
  Result<void> rotate();
  [[nodiscard]] std::string backup(unsigned number) const { return path_ + "." + std::to_string(number); }

  std::string path_;
  Rotation rotation_;
  Fd file_;
  std::uint64_t size_ = 0;
  std::uint64_t rotate_at_ = 0;       ///< size at which it is tried
  bool rotation_complained_ = false;  ///< once is enough
};

}  // namespace sonde::proxy
