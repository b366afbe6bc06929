// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace sonde::test {

/// Standard output of a shell command. Throws std::runtime_error with the command and its output if it fails.
std::string run(const std::string& command);

/// The lines of a text, without their ends.
std::vector<std::string> lines_of(const std::string& text);

/// The cells of a line.
std::vector<std::string> split(const std::string& line, char separator);

/// A file in the test's temporary folder that is removed with this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& suffix);
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();

  [[nodiscard]] const std::string& path() const { return path_; }
  void write(const std::string& content) const;

 private:
  std::string path_;
};

}  // namespace sonde::test
