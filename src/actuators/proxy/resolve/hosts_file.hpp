// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/stat.h>

#include <string>
#include <unordered_map>

#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/resolve/resolver.hpp"

namespace sonde::proxy {

/// Tells once a second at most whether a file has been changed or replaced.
class FileWatch {
 public:
  explicit FileWatch(std::string path) : path_(std::move(path)) {}
  /// True at first, and when the file is another one than at the last call that gave true.
  [[nodiscard]] bool has_changed(Clock::time_point now);
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  Clock::time_point next_{};
  bool seen_ = false;
  struct ::stat last_ {};
};

/// hosts(5). It is small: reading it does not hold a worker up.
class HostsFile {
 public:
  explicit HostsFile(std::string path) : watch_(std::move(path)) {}
  /// Of all lines that name it, in the order of the file; empty: none does.
  [[nodiscard]] Addresses find(const std::string& name, Clock::time_point now);

 private:
  void read();

  FileWatch watch_;
  std::unordered_map<std::string, Addresses> names_;  ///< lower case
};

/// Nothing: no IPv4 or IPv6 address. Port 0.
[[nodiscard]] bool read_address(const std::string& text, Endpoint& endpoint);
/// Lower case, without a dot at the end.
[[nodiscard]] std::string fold_name(std::string name);

}  // namespace sonde::proxy
