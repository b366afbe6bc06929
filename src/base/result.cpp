// SPDX-License-Identifier: Apache-2.0
#include "sonde/result.hpp"

#include <cerrno>
#include <system_error>

namespace sonde {

std::string Error::text() const {
  std::string text = message;
  if (code != 0) text += ": " + std::generic_category().message(code);
  if (!hint.empty()) text += " (" + hint + ")";
  return text;
}

std::unexpected<Error> fail(ErrorKind kind, std::string message, std::string hint, int code) {
  return std::unexpected(Error{kind, code, std::move(message), std::move(hint)});
}

std::unexpected<Error> fail_errno(std::string message, std::string hint) {
  return fail_errno(errno, std::move(message), std::move(hint));
}

std::unexpected<Error> fail_errno(int code, std::string message, std::string hint) {
  const auto kind = code == EPERM || code == EACCES ? ErrorKind::unsupported : ErrorKind::failed;
  return fail(kind, std::move(message), std::move(hint), code);
}

}  // namespace sonde
