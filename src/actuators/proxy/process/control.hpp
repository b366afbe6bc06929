// SPDX-License-Identifier: Apache-2.0
// The local socket over which a running proxy is asked, and over which it hands its listeners to the next one.
//
// A request is a line: "reload", "status", "stop", "drain", "abort"; of a successor "listeners" and "release". An
// answer is the exit status that stands for it, the length of a text, a line's end, and the text: "0 8\nreloaded".
// After the answer to "listeners", whose text is their number, each listening socket follows with one byte
// (SCM_RIGHTS).
#pragma once
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actuators/proxy/process/sockets.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// What a request does; called from the control thread, and must not destroy the server. A failure is told to who
/// asked.
struct ControlRequests {
  std::function<Result<std::string>()> reload;
  std::function<Result<std::string>()> status;
  std::function<Result<std::string>()> stop;
  std::function<Result<std::string>()> drain = {};
  std::function<Result<std::string>()> abort = {};
  /// Duplicates of the listening sockets. After the answer has been taken, handed_over() is called: stop accepting, and
  /// end as the connections do.
  std::function<Result<std::vector<ListeningSocket>>()> listeners;
  std::function<void()> handed_over;
};

class HandOver;

/// A local socket that listens. Its path is removed with it where the process may do that, unless another proxy has it
/// by then; a path that stays behind refuses connections and is replaced by the next proxy.
class ControlSocket {
 public:
  /// Before privileges are dropped: the folder may be root's. Mode 0600, and the user's after drop_privileges().
  /// Replaces the path of a proxy that is dead, or that is `predecessor`. That of another living one is an error that
  /// names its process.
  [[nodiscard]] static Result<ControlSocket> bind(const std::string& path, const HandOver* predecessor = nullptr);
  ControlSocket(ControlSocket&&) noexcept = default;
  ControlSocket& operator=(ControlSocket&& other) noexcept;
  ~ControlSocket() { close(); }

  void close();
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// False once another proxy has taken the path.
  [[nodiscard]] bool has_path() const;

 private:
  ControlSocket(Fd fd, std::string path, dev_t device, ino_t inode)
      : fd_(std::move(fd)), path_(std::move(path)), device_(device), inode_(inode) {}
  Fd fd_;
  std::string path_;
  dev_t device_;
  ino_t inode_;
};

/// Answers in a thread of its own. Only the same user and root may ask.
class ControlServer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(ControlSocket socket, ControlRequests requests);
  /// Binds and starts, where privileges stay as they are.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(const std::string& path, ControlRequests requests);
  virtual ~ControlServer() = default;
};

/// The listening sockets of the proxy at `path`, in two steps, so that no moment is without somebody who accepts: they
/// are given now, and release() says that they are being served.
///
///     auto hand_over = HandOver::ask(path);
///     auto listeners = hand_over->take();
///     auto control = ControlSocket::bind(path, &*hand_over);  // then privileges are dropped and workers started
///     hand_over->release();
class HandOver {
 public:
  [[nodiscard]] static Result<HandOver> ask(const std::string& path);
  [[nodiscard]] std::vector<ListeningSocket> take() { return std::move(sockets_); }
  /// Tells the old one to accept no more, and waits until it does not and has left its control socket.
  [[nodiscard]] Result<void> release();
  /// Of the old one.
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  HandOver(Fd connection, std::vector<ListeningSocket> sockets, pid_t pid)
      : connection_(std::move(connection)), sockets_(std::move(sockets)), pid_(pid) {}
  Fd connection_;
  std::vector<ListeningSocket> sockets_;
  pid_t pid_;
};

}  // namespace sonde::proxy
