// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <expected>
#include <string>
#include <utility>

#include "sonde/export.hpp"

namespace sonde {

/// What an error means for the caller; the number is the exit status that `sonde` ends with.
enum class ErrorKind {
  failed = 1,       ///< the operation failed on a system that could do it
  usage = 2,        ///< the caller's words are wrong: the message names the word and what was expected
  unsupported = 3,  ///< the kernel or the privileges do not allow it: the hint says what would
};

/// An error as a value. The library never prints and never aborts.
struct SONDE_EXPORT Error {
  ErrorKind kind = ErrorKind::failed;
  int code = 0;         ///< errno at the failure, 0 when there was none
  std::string message;  ///< what was tried and how it failed, one line
  std::string hint;     ///< what to do about it, one line; may be empty

  /// "message: strerror(code)", then " (hint)" if there is one.
  [[nodiscard]] std::string text() const;
};

/// A value or an Error. std::expected with [[nodiscard]] on the type, so that no failure is dropped.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  // Inherited converting constructors do not cover these two on all library versions.
  Result(std::unexpected<Error> error) : std::expected<T, Error>(std::move(error)) {}
};

/// return fail(ErrorKind::usage, "--port: ..."); the code defaults to 0.
[[nodiscard]] SONDE_EXPORT std::unexpected<Error> fail(ErrorKind kind, std::string message, std::string hint = {},
                                                       int code = 0);

/// Failure of a system call: takes the current errno, and turns EPERM and EACCES into ErrorKind::unsupported.
[[nodiscard]] SONDE_EXPORT std::unexpected<Error> fail_errno(std::string message, std::string hint = {});
[[nodiscard]] SONDE_EXPORT std::unexpected<Error> fail_errno(int code, std::string message, std::string hint = {});

}  // namespace sonde
