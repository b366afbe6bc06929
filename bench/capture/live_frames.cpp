// SPDX-License-Identifier: Apache-2.0
// live_frames: sends UDP frames out of an interface by BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, as fast as
// one core can or at a rate. Prints {"sent", "start", "end"}: frames, and seconds of CLOCK_MONOTONIC. With a veth the
// peer must have an XDP program or GRO (veth_xdp_xmit() refuses the frames otherwise).
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>

#include "frames.hpp"
#include "kernel/attach.hpp"
#include "kernel/object.hpp"

extern "C" {
extern const std::uint8_t sonde_bench_live_frames_bpf_object[];
extern const std::uint8_t sonde_bench_live_frames_bpf_object_end[];
}

namespace sonde::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string interface;
  std::string destination;
  std::uint32_t size = 64;
  std::uint32_t flows = 1;
  std::uint32_t addresses = 0;
  double seconds = 1;
  double rate = 0;  // frames a second; 0: as fast as it goes
};

constexpr std::uint32_t batch_size = 64;
constexpr std::uint32_t unpaced_call = 64 * 1024;  // frames a system call: long enough to hide its setup
constexpr std::chrono::microseconds paced_interval{500};

Result<Mac> parse_mac(const std::string& text) {
  unsigned bytes[6];
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", bytes, bytes + 1, bytes + 2, bytes + 3, bytes + 4, bytes + 5) != 6)
    return fail(ErrorKind::usage, "--destination '" + text + "': expected a MAC address");
  Mac mac;
  std::ranges::transform(bytes, mac.begin(), [](unsigned byte) { return static_cast<std::uint8_t>(byte); });
  return mac;
}

Result<kernel::Object> load(const Options& options) {
  auto object =
      kernel::Object::open({sonde_bench_live_frames_bpf_object, sonde_bench_live_frames_bpf_object_end}, "live_frames");
  if (!object) return object;
  const std::uint32_t ifindex = ::if_nametoindex(options.interface.c_str());
  if (ifindex == 0) return fail_errno("--interface '" + options.interface + "'");
  for (const auto& done : {object->set_constant("ifindex", ifindex), object->set_constant("flows", options.flows),
                           object->set_constant("addresses", options.addresses), object->load()})
    if (!done) return std::unexpected(done.error());
  return object;
}

class Generator {
 public:
  Generator(int program, std::vector<std::uint8_t> frame) : program_(program), frame_(std::move(frame)) {}

  Result<void> send(std::uint32_t count) {
    xdp_md context{};
    context.data_end = static_cast<std::uint32_t>(frame_.size());
    LIBBPF_OPTS(bpf_test_run_opts, run);
    run.data_in = frame_.data();
    run.data_size_in = static_cast<std::uint32_t>(frame_.size());
    run.ctx_in = &context;
    run.ctx_size_in = sizeof(context);
    run.repeat = static_cast<int>(count);
    run.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    run.batch_size = std::min(batch_size, count);
    if (::bpf_prog_test_run_opts(program_, &run) != 0) return fail_errno("cannot send live frames");
    sent_ += count;
    return {};
  }

  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  int program_;
  std::vector<std::uint8_t> frame_;
  std::uint64_t sent_ = 0;
};

Result<void> send_unpaced(Generator& generator, Clock::time_point end) {
  while (Clock::now() < end) {
    auto sent = generator.send(unpaced_call);
    if (!sent) return sent;
  }
  return {};
}

// What is due by now, at most one interval's worth at once: a generator that was held up does not burst.
Result<void> send_paced(Generator& generator, double rate, Clock::time_point start, Clock::time_point end) {
  const auto most = std::max(1.0, rate * std::chrono::duration<double>(paced_interval).count() * 2);
  double skipped = 0;
  for (auto now = start; now < end; now = Clock::now()) {
    const double due = std::chrono::duration<double>(now - start).count() * rate - skipped;
    const double behind = due - static_cast<double>(generator.sent());
    if (behind > most) skipped += behind - most;
    if (behind >= 1) {
      auto sent = generator.send(static_cast<std::uint32_t>(std::min(behind, most)));
      if (!sent) return sent;
    }
    std::this_thread::sleep_until(now + paced_interval);
  }
  return {};
}

// A program that is attached somewhere stays in the kernel's XDP dispatcher; else every test run puts it in and takes
// it out again, and waits for RCU both times (bpf_dispatcher_change_prog()).
Result<kernel::Link> stay_in_dispatcher(int program) {
  return kernel::attach_xdp(program, ::if_nametoindex("lo"), kernel::XdpMode::generic);
}

Result<void> generate(const Options& options) {
  const auto destination = parse_mac(options.destination);
  if (!destination) return std::unexpected(destination.error());
  auto object = load(options);
  if (!object) return std::unexpected(object.error());
  const auto program = object->program_fd("live_frames");
  if (!program) return std::unexpected(program.error());
  const auto link = stay_in_dispatcher(*program);
  if (!link) return std::unexpected(link.error());
  Generator generator(*program, udp4_frame(*destination, options.size));
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  auto sent = options.rate > 0 ? send_paced(generator, options.rate, start, end) : send_unpaced(generator, end);
  if (!sent) return sent;
  const auto seconds = [](Clock::time_point time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
  };
  fmt::print("{{\"sent\": {}, \"start\": {:.6f}, \"end\": {:.6f}}}\n", generator.sent(), seconds(start),
             seconds(Clock::now()));
  return {};
}

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try {
  sonde::bench::Options options;
  CLI::App app{"Sends UDP frames out of an interface, millions a second."};
  app.add_option("--interface", options.interface)->required();
  app.add_option("--destination", options.destination, "MAC address")->required();
  app.add_option("--size", options.size, "Bytes a frame")->check(CLI::Range(42, 1500));
  app.add_option("--flows", options.flows, "Source ports")->check(CLI::Range(1, 32768));
  app.add_option("--addresses", options.addresses, "Source addresses, at random; 0: the same always")
      ->check(CLI::Range(0, 1 << 24));
  app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  app.add_option("--rate", options.rate, "Frames a second; 0: as fast as it goes")->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  const auto done = sonde::bench::generate(options);
  if (!done) fmt::print(stderr, "live_frames: {}\n", done.error().text());
  return done ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "live_frames: %s\n", error.what());
  return 1;
}
