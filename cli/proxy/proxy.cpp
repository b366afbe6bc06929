// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "option_group.hpp"
#include "proxy/check.hpp"
#include "proxy/options.hpp"
#include "proxy/proxy_signals.hpp"
#include "proxy/wire.hpp"
#include "sonde/proxy.hpp"

namespace sonde::cli {
namespace {

struct Words : ProxyWords {
  bool check = false;
  bool take_over = false;
};

struct Request {
  const char* name;
  const char* description;
  int (*run)(const Environment& env, std::vector<std::string> arguments);  ///< null: the proxy is asked
};

constexpr std::array requests{
    Request{"reload", "read the file again, for new connections; the answer tells what was wrong with it", nullptr},
    Request{"status", "statistics, forwarding paths, upstreams and their health, as JSON", nullptr},
    Request{"stop", "accept no more, let connections end for timeouts.drain, then end; those on the wire go on",
            nullptr},
    Request{"drain", "accept no more, and end when all connections have ended, those on the wire too", proxy_drain},
    Request{"abort", "reset the connections on the wire", proxy_abort},
    Request{"connections", "show the connections on the wire, whether a proxy runs or not", proxy_connections},
};

std::string request_list() {
  std::string text = "Commands, `sonde proxy COMMAND [CONFIG]`:\n";
  for (const auto& request : requests) text += fmt::format("  {:<13}{}\n", request.name, request.description);
  return text +
         "\nIt runs in the foreground. SIGTERM and SIGINT let connections end, a second one ends at once;\n"
         "SIGHUP reads the file again. Keys of the file: docs/proxy.md.";
}

int check(const Environment& env, const ProxyConfig& config, const std::string& path) {
  if (auto here = check_proxy_host(path); !here) return report(env, here.error());
  env.out << path << " is well\n";
  describe_proxy(env.out, config);
  return well;
}

int serve(const Environment& env, const ProxyConfig& config, const ProxyStartOptions& options) {
  ignore_broken_pipes();
  auto proxy = Proxy::start(config, options);
  if (!proxy) {
    const auto here = check_proxy_host(options.config_path);  // names the line, where that is why
    return report(env, here ? proxy.error() : here.error());
  }
  const ProxySignals signals(*proxy);
  std::string addresses;
  for (const auto& listener : config.listeners) addresses += (addresses.empty() ? "" : ", ") + listener.address.text();
  env.err << "sonde: proxy: listens on " << addresses << "\nsonde: proxy: " << proxy->summary() << '\n' << std::flush;
  const auto ended = proxy->wait();
  return ended ? static_cast<int>(well) : report(env, ended.error());
}

int run_proxy(const Environment& env, std::vector<std::string> arguments) {
  CLI::App app{
      "Read the name that a TLS client asks for, and forward the connection untouched, in the kernel if possible.",
      "sonde proxy"};
  app.footer(request_list());
  Words words;
  OptionGroup group(app, "Options");
  add_config(app, group, words, "The configuration (JSON)");
  group.flag("--check", words.check, "Tell what it would do, or what is wrong with it, and end");
  group.flag("--take-over", words.take_over,
             "Take the listeners of the proxy that runs, which ends as its connections do");
  OptionGroup running(app, "reload, status, stop, drain, abort");
  add_control(running, words);
  if (const auto ended = parse_arguments(env, app, "proxy", std::move(arguments))) return *ended;
  if (words.control)
    return report(env,
                  {ErrorKind::usage, 0, "proxy: --control: expected reload, status, stop, drain or abort before it",
                   "the proxy's own is the key control of its file"});
  if (words.check && words.take_over)
    return report(env, {ErrorKind::usage, 0, "proxy: --take-over: expected no --check beside it", {}});
  const auto path = config_path(words);
  if (!path) return report(env, path.error());
  const auto config = read_proxy_config(*path);
  if (!config) return report(env, config.error());
  if (words.check) return check(env, *config, *path);
  return serve(env, *config, {.config_path = *path, .take_over = words.take_over});
}

int run_request(const Environment& env, const Request& request, std::vector<std::string> arguments) {
  const auto name = std::string("proxy ") + request.name;
  CLI::App app{std::string("Ask the proxy that runs: ") + request.description + '.', "sonde " + name};
  ProxyWords words;
  OptionGroup group(app, "Which proxy");
  add_config(app, group, words, "Its configuration, for the key control");
  add_control(group, words);
  if (const auto ended = parse_arguments(env, app, name, std::move(arguments))) return *ended;
  const auto config = named_config(words, name);
  if (!config) return report(env, config.error());
  const auto control = control_path(words, *config, name);
  if (!control) return report(env, control.error());
  const auto answer = ask_proxy(*control, request.name);
  if (!answer) return report(env, answer.error());
  env.out << *answer;
  if (!answer->ends_with('\n')) env.out << '\n';
  env.out.flush();
  return well;
}

}  // namespace

int proxy(const Environment& env, std::vector<std::string> arguments) {
  if (!arguments.empty()) {
    const auto* const request = std::ranges::find(requests, arguments.front(), &Request::name);
    if (request != requests.end()) {
      arguments.erase(arguments.begin());
      if (request->run != nullptr) return request->run(env, std::move(arguments));
      return run_request(env, *request, std::move(arguments));
    }
  }
  return run_proxy(env, std::move(arguments));
}

}  // namespace sonde::cli
