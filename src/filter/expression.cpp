// SPDX-License-Identifier: Apache-2.0
#include "filter/expression.hpp"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "filter/classic.hpp"

namespace sonde::filter {
namespace {

constexpr int snapshot_length = 262144;  // tcpdump's; the filter returns it for a match

using Handle = std::unique_ptr<pcap_t, decltype(&pcap_close)>;

struct Program : bpf_program {
  Program() : bpf_program{} {}
  ~Program() { pcap_freecode(this); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
};

std::vector<sock_filter> copy(const bpf_program& program) {
  std::vector<sock_filter> result;
  result.reserve(program.bf_len);
  for (const bpf_insn* insn = program.bf_insns; insn != program.bf_insns + program.bf_len; ++insn) {
    result.push_back({insn->code, insn->jt, insn->jf, insn->k});
  }
  return result;
}

std::unexpected<Error> wrong_expression(const std::string& expression, std::string_view problem,
                                        std::string hint = {}) {
  return fail(ErrorKind::usage, fmt::format("filter expression '{}': {}", expression, problem), std::move(hint));
}

// Words such as `inbound` and `ifindex` become loads at these offsets, which only a live Linux socket answers
// (bpf(4) extensions SKF_AD_*).
bool needs_live_handle(const std::vector<sock_filter>& program) {
  return std::ranges::any_of(program, [](const sock_filter& insn) {
    return BPF_CLASS(insn.code) == BPF_LD && BPF_MODE(insn.code) == BPF_ABS &&
           insn.k >= static_cast<std::uint32_t>(SKF_AD_OFF);
  });
}

}  // namespace

Result<std::vector<sock_filter>> compile_expression(const std::string& expression, LinkType link) {
  // grammar state and name look-ups of libpcap are process-wide.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);

  const Handle handle(pcap_open_dead(link == LinkType::ethernet ? DLT_EN10MB : DLT_RAW, snapshot_length), pcap_close);
  if (!handle) return fail(ErrorKind::failed, "filter expression: out of memory");
  Program program;
  if (pcap_compile(handle.get(), &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return wrong_expression(expression, pcap_geterr(handle.get()));
  }
  std::vector<sock_filter> result = copy(program);
  if (needs_live_handle(result)) {
    return wrong_expression(expression, "inbound, outbound and ifindex are not known to a filter that looks at bytes",
                            "use --direction in or --direction out, and -i for the interface");
  }
  if (const auto valid = validate_classic(result); !valid) return wrong_expression(expression, valid.error().message);
  return result;
}

}  // namespace sonde::filter
