// SPDX-License-Identifier: Apache-2.0
// A file that is written whole again and again.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Readers see the old content or the new one, where the folder lets the proxy make files when it writes: a new file
/// takes the name of the old one. Else, and where it is no regular file, it is written in place through the descriptor
/// that was opened at the start, perhaps with more privileges.
class StateFile {
 public:
  /// Makes it, and the folders above it, if it is not there.
  [[nodiscard]] static Result<StateFile> open(const std::string& path);

  [[nodiscard]] Result<std::string> read() const;
  /// `durable`: on the disk when it returns.
  [[nodiscard]] Result<void> write(std::string_view content, bool durable);
  /// Renames it to "NAME.broken-TIME" and goes on with an empty one. Gives the new name.
  [[nodiscard]] Result<std::string> set_aside();
  /// Until unlock() other processes that do the same wait, a second at most; afterwards the content is what the last of
  /// them wrote.
  [[nodiscard]] Result<void> lock();
  void unlock();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  StateFile(std::string path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}
  [[nodiscard]] bool is_at_path() const;
  Result<bool> replace(std::string_view content, bool durable);
  Result<void> rewrite(std::string_view content, bool durable);

  std::string path_;
  Fd file_;
  Fd locked_;  ///< the file that was at the path when it was locked
};

}  // namespace sonde::proxy
