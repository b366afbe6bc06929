// SPDX-License-Identifier: Apache-2.0
// consume: the packets sensor with a native XDP program that returns XDP_DROP, so that a packet ends at the driver and
// no time goes into the network stack. The pipeline behind it is that of `sonde capture`. Prints "ready" to standard
// error once attached; at SIGINT or SIGTERM drains and prints {"taken", "delivered", "lost"} to standard output.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>

#include "export/sinks.hpp"
#include "filter/filter.hpp"
#include "pipeline/run.hpp"
#include "sensors/packets/packets.hpp"

namespace sonde::bench {
namespace {

struct Options {
  std::string interface;
  std::string file;
  std::uint32_t snaplen = 0;
  std::size_t buffer_bytes = packets::PacketsOptions().buffer_bytes;
};

std::atomic<bool> stop = false;

Result<std::unique_ptr<pipeline::Source>> open_source(const Options& options) {
  constexpr std::uint8_t xdp_drop = 1;  // XDP_DROP
  auto filter = filter::compile({});
  if (!filter) return std::unexpected(filter.error());
  packets::PacketsOptions packets;
  packets.interfaces = {options.interface};
  packets.program.filter = std::move(*filter);
  packets.program.capture_bytes = !options.file.empty();
  packets.program.snaplen = options.snaplen;
  packets.program.xdp_verdict = xdp_drop;
  packets.attach.xdp = packets::XdpChoice::native;
  packets.attach.send = false;
  packets.buffer_bytes = options.buffer_bytes;
  return packets::open(std::move(packets));
}

Result<std::vector<std::unique_ptr<pipeline::Sink>>> open_sinks(const Options& options) {
  std::vector<std::unique_ptr<pipeline::Sink>> sinks;
  if (options.file.empty()) return sinks;
  auto output = exporter::open_output(options.file);
  if (!output) return std::unexpected(output.error());
  sinks.push_back(exporter::make_pcapng_sink(std::move(*output), {.snaplen = options.snaplen, .filter = {}}));
  return sinks;
}

Result<void> consume(const Options& options) {
  auto source = open_source(options);
  if (!source) return std::unexpected(source.error());
  const auto sinks = open_sinks(options);
  if (!sinks) return std::unexpected(sinks.error());
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { stop = true; });
  fmt::print(stderr, "ready\n");
  const auto outcome = pipeline::run(**source, *sinks, {}, stop);
  if (outcome.error) return std::unexpected(*outcome.error);
  const auto& loss = outcome.summary.loss;
  fmt::print("{{\"taken\": {}, \"delivered\": {}, \"lost\": {}}}\n", loss.stages.front().taken,
             loss.stages.back().given, loss.lost());
  return {};
}

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try {
  sonde::bench::Options options;
  CLI::App app{"Takes every packet of an interface by XDP and counts the events."};
  app.add_option("--interface", options.interface)->required();
  app.add_option("--write", options.file, "Also write them to this file as pcapng");
  app.add_option("--snaplen", options.snaplen, "Bytes a packet, with --write")->check(CLI::Range(1, 65535));
  app.add_option("--buffer", options.buffer_bytes, "Bytes of the ring")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto done = sonde::bench::consume(options);
  if (!done) fmt::print(stderr, "consume: {}\n", done.error().text());
  return done ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "consume: %s\n", error.what());
  return 1;
}
