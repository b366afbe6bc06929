// SPDX-License-Identifier: Apache-2.0
// How requests and answers travel over the control socket.
#pragma once
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Who is at the other end of a connection, or has made a listening socket that was connected to (unix(7)).
[[nodiscard]] Result<ucred> peer_of(int connection);
/// A connection whose calls give up after `patience`. ENOENT and ECONNREFUSED: nobody is there.
[[nodiscard]] Result<Fd> connect_to_control(const std::string& path, std::chrono::milliseconds patience);
/// The same, as an error that says what it means.
[[nodiscard]] std::unexpected<Error> no_proxy(const std::string& path, const Error& error);

[[nodiscard]] Result<void> send_all(int connection, std::string_view bytes);
[[nodiscard]] Result<void> send_answer(int connection, const Result<std::string>& answer);
/// The text, or the error that it is.
[[nodiscard]] Result<std::string> read_answer(int connection);

[[nodiscard]] Result<void> send_descriptor(int connection, int fd);
[[nodiscard]] Result<Fd> read_descriptor(int connection);

}  // namespace sonde::proxy
