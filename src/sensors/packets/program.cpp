// SPDX-License-Identifier: Apache-2.0
#include "sensors/packets/program.hpp"

#include <algorithm>
#include <array>

#include "filter/translate.hpp"

extern "C" {
extern const std::uint8_t sonde_packets_bpf_object[];
extern const std::uint8_t sonde_packets_bpf_object_end[];
extern const std::uint8_t sonde_packets_owners_bpf_object[];
extern const std::uint8_t sonde_packets_owners_bpf_object_end[];
}

namespace sonde::packets {
namespace {

// Common packet sizes: headers, a small packet, an Ethernet frame, a jumbo frame, an offloaded packet. A captured
// packet wastes at most the step to the next class.
constexpr std::array<std::uint32_t, SONDE_RECORD_CLASSES> record_classes = {64,   128,  320,   768,
                                                                            1536, 4096, 16384, 65536};

// The classes up to the snaplen, which is the last one itself, so that no record is larger than asked for.
void set_record_classes(std::uint32_t snaplen, sonde_packets_config& config) {
  const std::uint32_t largest = snaplen == 0 ? std::uint32_t{SONDE_MAX_CAPTURED_HEADERS} : snaplen;
  std::size_t used = 0;
  for (const auto size : record_classes) {
    config.record_classes[used++] = std::max(64U, std::min(size, (largest + 7) / 8 * 8));
    if (size >= largest) break;
  }
}

sonde_packets_config make_config(const ProgramOptions& options) {
  sonde_packets_config config{};
  config.transport = options.transport;
  config.ring_mask = options.rings - 1;
  config.wakeup_bytes = options.wakeup_bytes;
  config.snaplen = options.snaplen;
  config.emit_events = options.emit_events;
  config.capture_bytes = options.capture_bytes;
  config.count_totals = options.count_totals;
  config.count_sizes = options.count_sizes;
  config.has_expression = options.filter.has_expression;
  config.has_fields = filter::has_field_tests(*options.filter.fields);
  config.pass_verdict = options.xdp_verdict;
  if (options.capture_bytes) set_record_classes(options.snaplen, config);
  return config;
}

// An expression that cannot hold for bare IP is a body that rejects.
std::vector<sock_filter> or_reject(const std::vector<sock_filter>& program) {
  if (!program.empty()) return program;
  return {{BPF_RET | BPF_K, 0, 0, 0}};
}

Result<void> put_expression(kernel::Object& object, const filter::CompiledFilter& filter) {
  struct Body {
    const char* subprogram;
    const std::vector<sock_filter>& program;
    filter::ProgramContext context;
  };
  const Body bodies[] = {{"expression_xdp", filter.ethernet, filter::ProgramContext::xdp},
                         {"expression_tc", filter.ethernet, filter::ProgramContext::skb},
                         {"expression_tc_raw_ip", filter.raw_ip, filter::ProgramContext::skb}};
  for (const auto& body : bodies) {
    auto translated = filter::translate(or_reject(body.program), body.context);
    if (!translated) return std::unexpected(translated.error());
    object.replace_subprogram(body.subprogram, std::move(*translated));
  }
  return {};
}

}  // namespace

std::span<const std::uint8_t> object_bytes(bool with_owners) {
  if (with_owners) return {sonde_packets_owners_bpf_object, sonde_packets_owners_bpf_object_end};
  return {sonde_packets_bpf_object, sonde_packets_bpf_object_end};
}

bool is_packets_object(const kernel::Object& object) {
  const auto programs = object.programs();
  const auto has = [&](const char* name) {
    return std::ranges::find(programs, name, &kernel::ProgramInfo::name) != programs.end();
  };
  return has("sonde_ingress") && has("sonde_egress") && object.has_map("sonde_totals") &&
         object.has_map("sonde_counts");
}

Result<void> load_program(kernel::Object& object, const ProgramOptions& options) {
  const bool ring = options.transport == SONDE_TRANSPORT_RING;
  for (const auto& done :
       {object.set_constant("config", make_config(options)), object.set_constant("filter", *options.filter.fields),
        object.allow_fragments("sonde_xdp"), object.set_autoload("sonde_xdp", options.xdp && options.ethernet),
        object.set_autoload("sonde_ingress", options.ingress && options.ethernet),
        object.set_autoload("sonde_egress", options.egress && options.ethernet),
        object.set_autoload("sonde_raw_in", options.ingress && options.raw_ip),
        object.set_autoload("sonde_raw_out", options.egress && options.raw_ip),
        object.set_autocreate(ring ? "sonde_perf" : "sonde_rings", false)}) {
    if (!done) return done;
  }
  if (options.filter.has_expression) {
    auto put = put_expression(object, options.filter);
    if (!put) return put;
  }
  if (options.owners != nullptr) {
    auto shared = options.owners->share(object);
    if (!shared) return shared;
  }
  return object.load();
}

Result<kernel::Object> load_program(const ProgramOptions& options) {
  auto object = kernel::Object::open(object_bytes(options.owners != nullptr), "sonde_packets");
  if (!object) return object;
  auto loaded = load_program(*object, options);
  if (!loaded) return std::unexpected(loaded.error());
  return object;
}

}  // namespace sonde::packets
