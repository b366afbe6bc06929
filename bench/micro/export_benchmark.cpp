// SPDX-License-Identifier: Apache-2.0
// Time a packet of each output, to /dev/null.
#include <benchmark/benchmark.h>

#include <array>

#include "export/sinks.hpp"
#include "model/parse.hpp"

namespace sonde::exporter {
namespace {

constexpr std::size_t batch_size = 256;
constexpr std::size_t frame_size = 96;

// TCP segments over IPv4 on one interface, with sequence numbers and ports that differ.
struct Batch {
  std::array<std::array<std::uint8_t, frame_size>, batch_size> frames{};
  std::array<sonde_packet_event, batch_size> events{};
  std::array<Packet, batch_size> packets{};
  InterfaceTable interfaces{{3, {"veth-sender", LinkType::ethernet}}};

  Batch() {
    for (std::size_t i = 0; i < batch_size; ++i) fill(i);
  }

  void fill(std::size_t i) {
    auto& frame = frames[i];
    const auto low = static_cast<std::uint8_t>(i);
    frame = {2,    0,   0, 0,    0,    2,    2,    0,   0,    0,    0,   1,   8,    0,    0x45, 0,   0,
             82,   0,   1, 0,    0,    64,   6,    0,   0,    10,   11,  122, low,  192,  168,  100, 200,
             0x8f, low, 1, 0xbb, 0x34, 0x56, 0x78, low, 0x9a, 0xbc, low, 1,   0x50, 0x18, 0xfa, 0xf0};
    parse_packet(frame, frame_size, LinkType::ethernet, {}, events[i]);
    events[i].header.ifindex = 3;
    events[i].captured_size = frame_size;
    packets[i] = {&events[i], frame.data(), 1'795'223'002'123'456'789 + static_cast<std::int64_t>(i) * 1000};
  }
};

void run(benchmark::State& state, std::unique_ptr<pipeline::Sink> sink) {
  const Batch batch;
  for ([[maybe_unused]] auto _ : state) {
    if (!sink->write(batch.packets, batch.interfaces)) state.SkipWithError("write failed");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch_size));
}

Output null_device() { return std::move(*open_output("/dev/null")); }

void text(benchmark::State& state) { run(state, make_text_sink(null_device(), {})); }
void text_colour(benchmark::State& state) { run(state, make_text_sink(null_device(), {.colour = true})); }
void hex(benchmark::State& state) { run(state, make_hex_sink(null_device(), {})); }
void decoded(benchmark::State& state) { run(state, make_decode_sink(null_device(), {})); }
void json(benchmark::State& state) { run(state, make_json_sink(null_device(), {})); }
void json_data(benchmark::State& state) { run(state, make_json_sink(null_device(), {.data = true})); }
void pcapng(benchmark::State& state) { run(state, make_pcapng_sink(null_device(), {})); }
void pcap(benchmark::State& state) { run(state, make_pcap_sink(null_device(), {})); }

BENCHMARK(text);
BENCHMARK(text_colour);
BENCHMARK(hex);
BENCHMARK(decoded);
BENCHMARK(json);
BENCHMARK(json_data);
BENCHMARK(pcapng);
BENCHMARK(pcap);

}  // namespace
}  // namespace sonde::exporter
