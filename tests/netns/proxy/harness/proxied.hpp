// SPDX-License-Identifier: Apache-2.0
// The built program as a proxy in a namespace, and programs at both ends of it.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/netns.hpp"
#include "harness/process.hpp"

namespace sonde::test {

using Json = nlohmann::json;

/// For what takes a while on a machine that is at work on something else.
inline constexpr std::chrono::minutes proxy_patience{3};

/// A folder below /tmp that every user may enter; removed with this object.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Writes a file that everybody may read, and gives its path.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

/// `sonde proxy`. Its configuration is completed: control socket, access log and no pins, but where it says so itself.
class Proxied {
 public:
  /// Waits until clients are served; throws with what it said when it does not come to that.
  Proxied(const NetworkNamespace& where, const Json& config, const std::vector<std::string>& words = {},
          const std::vector<std::string>& before = {});
  Proxied(const Proxied&) = delete;
  Proxied& operator=(const Proxied&) = delete;
  /// Kills it, and removes what it has pinned for connections on the wire, which would outlive the namespace.
  ~Proxied();

  /// /status as `sonde proxy status` gives it.
  [[nodiscard]] Json status() const;
  [[nodiscard]] std::uint64_t statistic(const std::string& name) const;
  [[nodiscard]] std::uint64_t refusals(const std::string& name) const;
  /// Lines of the access log so far, of which `count` at least must come.
  [[nodiscard]] std::vector<Json> log(std::size_t count = 0) const;
  /// `sonde proxy WORD --control PATH`: status and everything it said.
  struct Answer {
    int status = -1;
    std::string text;
  };
  [[nodiscard]] Answer ask(const std::string& word) const;
  /// Writes the file anew; nothing is told to the proxy.
  void change(const Json& config);
  /// Another process with the same file.
  [[nodiscard]] std::unique_ptr<Process> successor();

  [[nodiscard]] Process& process() { return *process_; }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] std::string control() const { return folder_.file("control"); }
  [[nodiscard]] std::string config_path() const { return folder_.file("proxy.json"); }

 private:
  [[nodiscard]] Json completed(Json config) const;

  const NetworkNamespace& where_;
  Folder folder_;
  std::unique_ptr<Process> process_;
};

/// Until it holds; false after the patience.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience = std::chrono::seconds{30});

/// A program of peers/main.py. Its standard input is a pipe: close_input() lets those go on that wait for its end.
class Peer {
 public:
  Peer(const NetworkNamespace& where, std::vector<std::string> words);
  ~Peer();
  /// Waits for a line of its output that has this member, and gives the line. Throws when it does not come.
  Json expect(const std::string& member, std::chrono::milliseconds patience = proxy_patience);
  /// All lines so far.
  [[nodiscard]] std::vector<Json> lines() const;
  /// Those that have this member.
  [[nodiscard]] std::vector<Json> lines_with(const std::string& member) const;
  void close_input();
  /// Waits for its end; fails the test if it did not end well.
  void finish(std::chrono::milliseconds patience = proxy_patience);
  [[nodiscard]] Process& process() { return *process_; }

 private:
  Folder folder_;
  Fd input_;
  std::unique_ptr<Process> process_;
};

/// One that ends of its own; gives the line with the member.
Json peer_says(const NetworkNamespace& where, const std::vector<std::string>& words, const std::string& member);

/// Standard output and error of a program that ends within the patience, and its status.
struct Outcome {
  int status = -1;
  std::string output;
};
Outcome outcome_of(const NetworkNamespace& where, const std::string& command);

/// A configuration in which clients on this listener come to this upstream by the name.
Json one_route(const std::string& listener, const std::string& upstream, const std::string& name = "name.test");

}  // namespace sonde::test
