// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <exception>

#include "proxy/load.hpp"

namespace sonde::bench {
namespace {

void add_load_options(CLI::App& command, LoadOptions& options) {
  command.add_option("--target", options.target, "ADDRESS:PORT to connect to")->required();
  command.add_option("--name", options.name, "Server name of the ClientHello");
  command.add_option("--connections", options.connections);
  command.add_option("--seconds", options.seconds);
  command.add_option("--warm-up", options.warm_up, "Seconds before the measurement");
  command.add_option("--pid", options.pids, "Process whose CPU time is told");
}

int run(int argc, char** argv) {
  CLI::App app{"Load and server of `./dev bench proxy`."};
  app.require_subcommand(1);
  LoadOptions options;
  std::string listen;
  auto* server = app.add_subcommand("server", "Answers as the client's first byte behind its ClientHello says");
  server->add_option("--listen", listen)->required();
  server->add_option("--counter", options.counter)->required();

  const std::pair<CLI::App*, void (*)(const LoadOptions&)> loads[] = {
      {app.add_subcommand("bulk", "As many bytes as go through"), bulk},
      {app.add_subcommand("rr", "Round trips of a message"), round_trips},
      {app.add_subcommand("connect", "Connections of one answer"), short_connections},
      {app.add_subcommand("latency", "Round trips at a given rate"), open_loop},
      {app.add_subcommand("first-byte", "Connections of two requests: time to the first byte of either answer"),
       first_bytes},
      {app.add_subcommand("idle", "Connections that do nothing, until standard input ends"), idle}};
  for (const auto& [command, load] : loads) add_load_options(*command, options);
  auto* upload = loads[0].first->add_flag("--upload", options.upload, "To the server; needs --counter");
  upload->needs(loads[0].first->add_option("--counter", options.counter));
  loads[2]
      .first->add_option("--answer", options.answer, "Bytes of an answer")
      ->check(CLI::IsMember({answer_bytes, page_bytes}));
  loads[3].first->add_option("--rate", options.rate, "Requests a second");
  CLI11_PARSE(app, argc, argv);

  if (*server) serve(listen, options.counter);
  for (const auto& [command, load] : loads)
    if (*command) load(options);
  return 0;
}

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try { return sonde::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "proxy_load: %s\n", error.what());
  return 1;
}
