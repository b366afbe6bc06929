// SPDX-License-Identifier: Apache-2.0
#include "proxy/wire.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>

#include "option_group.hpp"
#include "proxy/options.hpp"
#include "proxy/wire_table.hpp"
#include "screen.hpp"
#include "signals.hpp"
#include "sonde/proxy.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

struct Asked {
  ProxyWords words;
  std::optional<ProxyConfig> config;
  std::string control;
  std::optional<int> status;  ///< it is over: it was the help, a wrong word, or the proxy that runs has answered
};

struct Request {
  const char* name;
  const char* description;
  const char* explanation;  ///< of the answer of a proxy that runs
};

// Asks the proxy that runs, if one does.
Asked ask_running(const Environment& env, const Request& request, std::vector<std::string> arguments) {
  const auto name = std::string("proxy ") + request.name;
  CLI::App app{request.description, "sonde " + name};
  Asked asked;
  OptionGroup group(app, "Which proxy");
  add_config(app, group, asked.words, "Its configuration, for the key control, and for times where no proxy runs");
  add_control(group, asked.words);
  asked.status = parse_arguments(env, app, name, std::move(arguments));
  if (asked.status) return asked;
  auto config = named_config(asked.words, name);
  if (!config) {
    asked.status = report(env, config.error());
    return asked;
  }
  asked.config = std::move(*config);
  const auto control = control_path(asked.words, asked.config, name);
  if (!control) {
    asked.status = report(env, control.error());
    return asked;
  }
  asked.control = *control;
  const auto answer = ask_proxy(*control, request.name);
  if (answer) {
    env.out << *answer << (answer->ends_with('\n') ? "" : "\n") << request.explanation;
    env.out.flush();
    asked.status = well;
  } else if (answer.error().code != ENOENT && answer.error().code != ECONNREFUSED) {
    asked.status = report(env, answer.error());
  }
  return asked;
}

void print_line(const Environment& env, const std::string& line) {
  env.out << line;
  env.out.flush();
}

std::string count_text(std::uint32_t count) {
  return count == 1 ? "1 connection" : fmt::format("{} connections", count);
}

/// What is told while connections end that no proxy keeps. Ended by a signal, or by a proxy that starts.
class Drain {
 public:
  Drain(const Environment& env, std::string control) : env_(env), control_(std::move(control)) {}

  void stop() noexcept { stopped_ = 1; }
  /// False: wait no longer.
  [[nodiscard]] bool tell(std::uint32_t left);
  [[nodiscard]] std::string why_not() const;

 private:
  const Environment& env_;
  std::string control_;
  std::optional<std::uint32_t> told_;
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
  bool a_proxy_runs_ = false;
  volatile std::sig_atomic_t stopped_ = 0;
};

bool Drain::tell(std::uint32_t left) {
  using namespace std::chrono_literals;
  if (!told_ && left > 0)
    env_.err << fmt::format(
        "sonde: no proxy at {}: {} on the wire; their ends are waited for, Ctrl-C leaves them as they are\n", control_,
        count_text(left));
  else if (told_ && *told_ != left && left > 0)
    env_.err << fmt::format("sonde: {} left\n", left);
  told_ = left;
  env_.err.flush();
  if (std::chrono::steady_clock::now() - asked_ > 1s) {
    asked_ = std::chrono::steady_clock::now();
    a_proxy_runs_ = ask_proxy(control_, "status").has_value();
  }
  return stopped_ == 0 && !a_proxy_runs_;
}

std::string Drain::why_not() const {
  if (a_proxy_runs_) return "which the proxy keeps that has started meanwhile";
  return "which go on; nobody ends those that are idle until a proxy or this command runs";
}

}  // namespace

int proxy_connections(const Environment& env, std::vector<std::string> arguments) {
  CLI::App app{
      "Show the connections that are on the wire in this network namespace, whether a proxy runs or not. Needs root.",
      "sonde proxy connections"};
  std::string sort = "bytes", color = "auto";
  bool json = false;
  OptionGroup group(app, "Options");
  group.option("--sort", "NAME", sort, "First comes the most bytes, packets, repeated, age or idle; or client")
      ->capture_default_str();
  group.flag("--json", json, "One JSON object a line instead of a table");
  group.option("--color", "WHEN", color, "auto, always or never")->capture_default_str();
  if (const auto ended = parse_arguments(env, app, "proxy connections", std::move(arguments))) return *ended;
  const auto colored = parse_color(color, env.out_is_terminal);
  if (!colored) return report(env, colored.error());
  std::vector<ProxyWireConnection> none;
  if (auto known = sort_wire_connections(none, sort); !known) return report(env, known.error());
  auto connections = list_wire_connections();
  if (!connections) return report(env, connections.error());
  [[maybe_unused]] const auto sorted = sort_wire_connections(*connections, sort);
  const std::size_t room = env.out_is_terminal ? screen_size(1).columns : 0;
  env.out << (json ? wire_table_json(*connections) : wire_table_text(*connections, *colored, room));
  env.out.flush();
  return well;
}

int proxy_drain(const Environment& env, std::vector<std::string> arguments) {
  constexpr Request request{"drain",
                            "Let every connection end, those on the wire too: a proxy that runs accepts no more and "
                            "ends after the last one. Where none runs, wait for those that it has left.",
                            "it accepts no more, and ends when they are over\n"};
  const auto asked = ask_running(env, request, std::move(arguments));
  if (asked.status) return *asked.status;
  Drain drain(env, asked.control);
  const StopOnSignals signals(drain);
  const auto left = drain_wire(asked.config.value_or(ProxyConfig{}),
                               {.ended = [&](const std::string& line) { print_line(env, line); },
                                .waiting = [&](std::uint32_t count) { return drain.tell(count); }});
  if (!left) return report(env, left.error());
  if (*left > 0) {
    env.err << fmt::format("sonde: {} left on the wire, {}\n", count_text(*left), drain.why_not());
    return failed;
  }
  env.err << "sonde: no connection is on the wire; its programs and maps are removed\n";
  return well;
}

int proxy_abort(const Environment& env, std::vector<std::string> arguments) {
  constexpr Request request{"abort",
                            "Reset the connections on the wire, both peers. Those that the proxy relays itself go on, "
                            "and it runs on. Where none runs, remove programs and maps as well.",
                            "what the proxy relays itself goes on\n"};
  const auto asked = ask_running(env, request, std::move(arguments));
  if (asked.status) return *asked.status;
  const auto ended = abort_wire({.ended = [&](const std::string& line) { print_line(env, line); },
                                 .waiting = [](std::uint32_t) { return true; }});
  if (!ended) return report(env, ended.error());
  if (*ended)
    env.err << fmt::format("sonde: no proxy at {}: {} reset; programs and maps of the wire are removed\n",
                           asked.control, count_text(**ended));
  else
    env.err << "sonde: programs and maps of the wire, which another version of sonde had made, are removed; peers are "
               "reset "
               "when they next send\n";
  return well;
}

}  // namespace sonde::cli
