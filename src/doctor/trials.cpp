// SPDX-License-Identifier: Apache-2.0
#include "doctor/trials.hpp"

#include <linux/capability.h>

#include <chrono>

#include "doctor/owner_trials.hpp"
#include "doctor/private_network.hpp"
#include "doctor/proxy_trials.hpp"
#include "sensors/afpacket/afpacket.hpp"
#include "sensors/packets/packets.hpp"
#include "sensors/packets/readers.hpp"

namespace sonde::doctor {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds read_wait{10};
constexpr int attempts = 100;  // 1 s; the first packet nearly always comes, but a qdisc may still be starting
constexpr std::size_t ring_bytes = 256 * 1024;
constexpr std::uint16_t first_port = 40000;
constexpr const char* unheard = "attached, but no packet arrived there";

struct Scene {
  const Programs& programs;
  const Privileges& privileges;
  const PrivateNetwork& network;
  std::uint16_t port = first_port;  ///< of the last trial: each has its own, so that a late packet proves nothing
  std::vector<ProxyPathState> proxy_paths;  ///< all are tried at once
};

/// A program on a hook: in the receiver's way for ingress, in the sender's for egress.
struct Hook {
  const char* program;
  sonde_direction direction;
  Result<kernel::Link> (*attach)(int program_fd, std::uint32_t ifindex);
};

template <kernel::TcDirection direction>
Result<kernel::Link> attach_tcx(int fd, std::uint32_t ifindex) {
  return kernel::attach_tcx(fd, ifindex, direction);
}
template <kernel::TcDirection direction>
Result<kernel::Link> attach_clsact(int fd, std::uint32_t ifindex) {
  return kernel::attach_clsact(fd, ifindex, direction);
}
template <kernel::XdpMode mode>
Result<kernel::Link> attach_xdp(int fd, std::uint32_t ifindex) {
  return kernel::attach_xdp(fd, ifindex, mode);
}

constexpr Hook tcx_ingress = {"sonde_ingress", SONDE_DIRECTION_IN, attach_tcx<kernel::TcDirection::ingress>};
constexpr Hook tcx_egress = {"sonde_egress", SONDE_DIRECTION_OUT, attach_tcx<kernel::TcDirection::egress>};
constexpr Hook clsact_ingress = {"sonde_ingress", SONDE_DIRECTION_IN, attach_clsact<kernel::TcDirection::ingress>};
constexpr Hook clsact_egress = {"sonde_egress", SONDE_DIRECTION_OUT, attach_clsact<kernel::TcDirection::egress>};
constexpr Hook generic_xdp = {"sonde_xdp", SONDE_DIRECTION_IN, attach_xdp<kernel::XdpMode::generic>};
constexpr Hook native_xdp = {"sonde_xdp", SONDE_DIRECTION_IN, attach_xdp<kernel::XdpMode::native>};

bool is_packet(const Packet& packet, std::uint16_t port) {
  constexpr std::uint8_t udp = 17;
  return packet.event->protocol == udp && packet.event->destination_port == port;
}

Result<kernel::Link> attach(const Scene& scene, const kernel::Object& object, const Hook& hook) {
  const auto program = object.program_fd(hook.program);
  if (!program) return std::unexpected(program.error());
  const bool in = hook.direction == SONDE_DIRECTION_IN;
  return hook.attach(*program, in ? scene.network.receiver() : scene.network.sender());
}

/// Sends until a packet to the port is read, from a Reader or a Source. True: one with that direction came.
template <class Input>
Result<bool> comes_through(Input& input, const PrivateNetwork& network, std::uint16_t port, int direction) {
  pipeline::PacketBatch batch;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    auto sent = network.send(port);
    if (!sent) return std::unexpected(sent.error());
    auto read = input.read(batch, read_wait);
    if (!read) return std::unexpected(read.error());
    for (const auto& packet : batch.view())
      if (is_packet(packet, port)) return packet.event->direction == direction;
  }
  return false;
}

Finding verdict(const Scene& scene, const Result<bool>& came, std::string hook, int capability) {
  if (!came) return failure(came.error(), scene.privileges, capability, "");
  return *came ? yes(std::move(hook)) : no(unheard, "report this: the hook is there and stays silent");
}

/// Attaches, sends, hears.
Finding try_hook(Scene& scene, const Hook& hook, const char* advice) {
  const auto& object = *scene.programs.ring;
  auto reader = packets::make_ring_reader(object, 1, ring_bytes);
  if (!reader) return failure(reader.error(), scene.privileges, CAP_BPF, "");
  const auto link = attach(scene, object, hook);
  if (!link) return failure(link.error(), scene.privileges, CAP_NET_ADMIN, advice);
  return verdict(scene, comes_through(**reader, scene.network, ++scene.port, hook.direction), link->hook(),
                 CAP_NET_ADMIN);
}

Finding try_tc(Scene& scene, const Hook& hook, const char* advice) {
  if (!scene.programs.ring) return cannot_tell("the tc programs could not be loaded", "see tc-programs");
  return try_hook(scene, hook, advice);
}

Finding try_xdp(Scene& scene, const Hook& hook, const char* advice) {
  if (!scene.programs.xdp) return cannot_tell("the XDP program could not be loaded", "see xdp-program");
  return try_hook(scene, hook, advice);
}

constexpr const char* tcx_advice = "needs Linux 6.6 with CONFIG_NET_XGRESS; clsact takes over";
constexpr const char* clsact_advice =
    "needs CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF (modules sch_ingress, cls_bpf)";
constexpr const char* xdp_advice = "--xdp-mode off, the default, does without";

Finding try_native_xdp(Scene& scene) {
  if (!scene.network.has_veth()) return cannot_tell(scene.network.missing_veth(), "needs CONFIG_VETH to try it");
  return try_xdp(scene, native_xdp, xdp_advice);
}

/// Ingress by the hook that capture would take.
Result<kernel::Link> attach_ingress(const Scene& scene, const kernel::Object& object) {
  auto link = attach(scene, object, tcx_ingress);
  return link ? std::move(link) : attach(scene, object, clsact_ingress);
}

Finding try_perf_events(Scene& scene) {
  if (!scene.programs.perf) return cannot_tell("the tc programs could not be loaded", "see tc-programs");
  auto reader = packets::make_perf_reader(*scene.programs.perf, ring_bytes);
  if (!reader) return failure(reader.error(), scene.privileges, CAP_PERFMON, "needs CONFIG_PERF_EVENTS");
  const auto link = attach_ingress(scene, *scene.programs.perf);
  if (!link) return failure(link.error(), scene.privileges, CAP_NET_ADMIN, clsact_advice);
  return verdict(scene, comes_through(**reader, scene.network, ++scene.port, SONDE_DIRECTION_IN), link->hook(),
                 CAP_NET_ADMIN);
}

// A datagram to another port goes first: it must not be heard when the one behind it is.
Finding try_filter(Scene& scene) {
  if (!scene.programs.filtered) return cannot_tell("the programs could not be loaded", "see filter-expression");
  auto reader = packets::make_ring_reader(*scene.programs.filtered, 1, ring_bytes);
  if (!reader) return failure(reader.error(), scene.privileges, CAP_BPF, "");
  const auto link = attach_ingress(scene, *scene.programs.filtered);
  if (!link) return failure(link.error(), scene.privileges, CAP_NET_ADMIN, clsact_advice);
  const auto other = ++scene.port;
  pipeline::PacketBatch batch;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    for (const auto port : {other, filtered_port})
      if (auto sent = scene.network.send(port); !sent)
        return failure(sent.error(), scene.privileges, CAP_NET_ADMIN, "");
    if (auto read = (*reader)->read(batch, read_wait); !read) return no(read.error().text());
    for (const auto& packet : batch.view())
      if (!is_packet(packet, filtered_port)) return no("a packet that does not match came through", "report this");
    if (batch.size > 0) return yes(link->hook());
  }
  return no(unheard, "report this: the expression rejects what it should let through");
}

Finding try_afpacket(Scene& scene, unsigned workers) {
  const auto everything = filter::compile({});
  if (!everything) return cannot_tell(everything.error().text());
  afpacket::AfPacketOptions options;
  options.interfaces = {scene.network.receiver_name()};
  options.filter = *everything;
  options.workers = workers;
  options.ring_bytes = 1U << 20;
  options.retire_milliseconds = 1;
  const auto source = afpacket::open_afpacket(options);
  if (!source) return failure(source.error(), scene.privileges, CAP_NET_RAW, "needs CONFIG_PACKET");
  return verdict(scene, comes_through(**source, scene.network, ++scene.port, SONDE_DIRECTION_IN), "TPACKET_V3",
                 CAP_NET_RAW);
}

Finding try_proxy_path(Scene& scene, ProxyForwarding path) {
  if (scene.proxy_paths.empty()) scene.proxy_paths = test_proxy_paths();
  return proxy_path(scene.proxy_paths, path, scene.privileges);
}

struct Trial {
  const char* name;
  Finding (*run)(Scene& scene);
};

constexpr Trial table[] = {
    {"tcx-ingress", [](Scene& scene) { return try_tc(scene, tcx_ingress, tcx_advice); }},
    {"tcx-egress", [](Scene& scene) { return try_tc(scene, tcx_egress, tcx_advice); }},
    {"clsact-ingress", [](Scene& scene) { return try_tc(scene, clsact_ingress, clsact_advice); }},
    {"clsact-egress", [](Scene& scene) { return try_tc(scene, clsact_egress, clsact_advice); }},
    {"xdp-generic", [](Scene& scene) { return try_xdp(scene, generic_xdp, xdp_advice); }},
    {"xdp-native", try_native_xdp},
    {"perf-events", try_perf_events},
    {"filter-in-kernel", try_filter},
    {"af-packet-receive", [](Scene& scene) { return try_afpacket(scene, 1); }},
    {"af-packet-fanout", [](Scene& scene) { return try_afpacket(scene, 2); }},
    {"owners-fentry", [](Scene& scene) { return try_owner_rung("fentry", scene.privileges); }},
    {"owners-tracepoint", [](Scene& scene) { return try_owner_rung("tracepoint", scene.privileges); }},
    {"owners-kprobe", [](Scene& scene) { return try_owner_rung("kprobe", scene.privileges); }},
    {"owners-cgroup", [](Scene& scene) { return try_owner_rung("cgroup", scene.privileges); }},
    {"owners-seed", [](Scene& scene) { return try_owner_seed(scene.privileges); }},
    {"process-events", [](Scene& scene) { return try_process_events(scene.privileges); }},
    {"proxy-bypass", [](Scene& scene) { return try_proxy_path(scene, ProxyForwarding::bypass); }},
    {"proxy-wire", [](Scene& scene) { return try_proxy_path(scene, ProxyForwarding::wire); }},
    {"proxy-sockmap", [](Scene& scene) { return try_proxy_path(scene, ProxyForwarding::sockmap); }},
    {"proxy-splice", [](Scene& scene) { return try_proxy_path(scene, ProxyForwarding::splice); }},
    {"proxy-copy", [](Scene& scene) { return try_proxy_path(scene, ProxyForwarding::copy); }},
    {"proxy-client-filter",
     [](Scene& scene) { return try_client_filter(scene.network, ++scene.port, scene.privileges); }},
    {"proxy-dns-cache", [](Scene& scene) { return try_dns_cache(scene.privileges); }},
};

}  // namespace

Findings all_trials(const Finding& finding) {
  Findings findings;
  for (const auto& trial : table) findings[trial.name] = finding;
  return findings;
}

Findings run_trials(const Programs& programs, const Privileges& privileges) {
  const auto network = PrivateNetwork::enter();
  if (!network) {
    auto why = failure(network.error(), privileges, CAP_SYS_ADMIN, "");
    why.answer = Answer::unknown;  // of the kernel's hooks nothing is known
    if (why.advice.empty()) why.advice = "needs CONFIG_NET_NS to try it";
    return all_trials(why);
  }
  Scene scene{.programs = programs, .privileges = privileges, .network = *network, .proxy_paths = {}};
  Findings findings;
  for (const auto& trial : table) findings[trial.name] = trial.run(scene);
  return findings;
}

}  // namespace sonde::doctor
