// SPDX-License-Identifier: Apache-2.0
// An SNI proxy: reads the ClientHello of a TLS connection, chooses where it goes by the name in it, and forwards it
// untouched, in the kernel where it can. docs/proxy.md is the manual.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/export.hpp"
#include "sonde/guard.hpp"
#include "sonde/result.hpp"

namespace sonde {

/// How the bytes of an established connection get from one socket to the other. In the order in which `automatic` tries
/// them; each falls back to what stands behind it.
enum class ProxyForwarding : std::uint8_t {
  automatic,
  bypass,   ///< both peers on this host: what one sends lands in the other's receive queue (sk_msg)
  wire,     ///< both peers remote: packets of one connection are rewritten into the other's and sent on (tc)
  sockmap,  ///< what arrives at one socket leaves by the other in the kernel (sk_skb); only if asked for
  splice,   ///< through a pipe, without copying to user space
  copy,     ///< through memory of this process
};

enum class ProxyProtocolIn : std::uint8_t {
  off,
  required,  ///< version 1 or 2; a connection without is refused
};
enum class ProxyProtocolOut : std::uint8_t { off, v1, v2 };

enum class ProxyBalance : std::uint8_t { round_robin, least_connections };

struct ProxyListener {
  Endpoint address;
  ProxyForwarding forwarding = ProxyForwarding::automatic;
  ProxyProtocolIn proxy_protocol = ProxyProtocolIn::off;
};

/// A host that a route leads to: a name (resolved when it is needed) or an address.
struct ProxyUpstream {
  std::string host;
  std::uint16_t port = 443;

  [[nodiscard]] SONDE_EXPORT std::string text() const;  ///< "host:443", "[2001:db8::1]:443"
  friend bool operator==(const ProxyUpstream&, const ProxyUpstream&) = default;
};

struct ProxyHealthCheck {
  std::chrono::milliseconds interval{0};  ///< 0: no checks
  std::chrono::milliseconds timeout{2000};
  std::uint32_t rise = 2;  ///< checks in a row that must succeed before an upstream is used again
  std::uint32_t fall = 3;  ///< checks in a row that must fail before it is left out
};

/// Names that go the same way. Patterns are folded: lower case, no trailing dot.
struct ProxyRoute {
  std::string name;                      ///< "whitelist", "socks5_whitelist", "routes[2]" or what the file calls it
  std::vector<std::string> sni;          ///< "a.example", "*.b.example" (any depth, not b.example itself)
  std::vector<ProxyUpstream> upstreams;  ///< empty: the host that the name names, at ProxyConfig::upstream_port
  ProxyBalance balance = ProxyBalance::round_robin;
  ProxyHealthCheck health_check;
  ProxyProtocolOut proxy_protocol = ProxyProtocolOut::off;
  bool socks5 = false;                        ///< through ProxyConfig::socks5, which resolves the name
  std::optional<ProxyForwarding> forwarding;  ///< instead of the listener's
};

struct ProxySocks5 {
  ProxyUpstream server;
  std::string username;  ///< empty: no authentication
  std::string password;
};

struct ProxyTimeouts {
  std::chrono::milliseconds hello{10'000};           ///< from accept until the ClientHello is whole
  std::chrono::milliseconds connect{5'000};          ///< each upstream address, SOCKS5 handshake included
  std::chrono::milliseconds dns{5'000};              ///< a name
  std::chrono::milliseconds idle{3'600'000};         ///< no byte either way
  std::chrono::milliseconds half_closed{3'600'000};  ///< no byte after one side has ended
  std::chrono::milliseconds drain{30'000};           ///< a graceful stop waits so long for connections to end
};

struct ProxyLimits {
  std::uint32_t connections = 10'000;        ///< at a time; 0: as many as descriptors allow
  std::uint32_t connections_per_client = 0;  ///< at a time, by address; 0: any number
  std::uint32_t hello_bytes = 65'536;
};

struct ProxyDns {
  std::vector<std::string> servers;  ///< "192.0.2.53", "192.0.2.53:5353"; empty: of /etc/resolv.conf
  std::chrono::seconds max_ttl{3600};
  std::chrono::seconds negative_ttl{30};  ///< at most; of the SOA where there is one (RFC 2308)
};

struct ProxyLog {
  std::string level = "info";     ///< off, error, warn, info, debug, trace
  std::string output = "stdout";  ///< stdout, stderr, file, both (stdout and file)
  std::string file_path;
  bool enable_rotation = false;
  std::uint32_t max_size_mb = 100;
  std::uint32_t max_backups = 5;
  bool show_timestamp = true;
  bool show_module = true;
  bool use_color = true;  ///< on a terminal
};

struct ProxyIpTraffic {
  bool enabled = false;
  std::uint32_t max_tracked_ips = 10'000;
  std::string output_file;       ///< JSON, the greatest first; empty: none
  std::string persistence_file;  ///< JSON, read at the start; empty: none
};

struct ProxyDomainIps {
  bool enabled = false;
  std::string output_file;
};

struct ProxyEbpf {
  bool enabled = true;
  bool sockmap = true;  ///< bypass and sockmap
  std::uint32_t sockmap_entries = 65'536;
  bool dns_cache = true;
  std::uint32_t dns_cache_entries = 10'000;
  bool dns_cache_pinned = true;  ///< kept under bpffs over restarts
  bool stats = true;             ///< TRAFFIC_STATS and CONNECTION_STATS
  bool xdp = false;              ///< clients that ip_whitelist does not name are dropped at the driver
  std::string xdp_interface;     ///< empty: those that the listeners' addresses are on
};

/// When a connection is handed over to the wire splice, and how long it may stay there.
struct ProxyWire {
  std::uint32_t connections = 65'536;    ///< at a time; more are forwarded by the next path
  std::uint64_t after_bytes = 16'384;    ///< carried by the relay, of both directions; a route that asks for `wire`: 0
  std::chrono::milliseconds after{50};   ///< or with the first bytes after so long
  std::chrono::milliseconds max_age{0};  ///< then it is reset; 0: never
};

/// Everything that the configuration file says. docs/proxy.md has the table of keys.
struct ProxyConfig {
  std::vector<ProxyListener> listeners;
  std::vector<ProxyRoute> routes;  ///< exact names before suffixes, longer suffixes before shorter, whatever the order
  std::vector<GuardNetwork> clients;  ///< who may connect; empty: everybody
  ProxyForwarding forwarding = ProxyForwarding::automatic;
  std::uint16_t upstream_port = 443;  ///< of routes without upstreams
  std::optional<ProxySocks5> socks5;
  ProxyTimeouts timeouts;
  ProxyLimits limits;
  ProxyDns dns;
  ProxyLog log;
  ProxyIpTraffic ip_traffic;
  ProxyDomainIps domain_ips;
  ProxyEbpf ebpf;
  ProxyWire wire;
  std::uint32_t workers = 0;      ///< threads; 0: one a CPU
  std::string user = "nobody";    ///< that it runs as after the start, if it is started as root; "root": stays
  std::optional<Endpoint> admin;  ///< /metrics, /status and /healthz over HTTP
  std::string access_log;         ///< file, or "-": standard output; empty: none
  std::string control = "/run/sonde-proxy.sock";  ///< local socket for reload and hand-over; empty: none
};

/// Reads a configuration. The error names file, line, key and what was expected: "proxy.json:12: routes[0].balance:
/// "fastest": expected round_robin or least_connections". Unknown keys and keys given twice are errors.
[[nodiscard]] SONDE_EXPORT Result<ProxyConfig> read_proxy_config(const std::string& path);
/// The same for text; `name` stands for the file in errors.
[[nodiscard]] SONDE_EXPORT Result<ProxyConfig> parse_proxy_config(std::string_view text, const std::string& name);
/// Whether this host has the addresses, the user and the interface that the file names. The error is as those above.
[[nodiscard]] SONDE_EXPORT Result<void> check_proxy_host(const std::string& path);

/// "auto", "bypass", "wire", "sockmap", "splice", "copy".
[[nodiscard]] SONDE_EXPORT const char* proxy_forwarding_name(ProxyForwarding forwarding);

struct ProxyStartOptions {
  std::string config_path;  ///< what SIGHUP and `reload` read again; empty: they are errors
  bool take_over = false;   ///< listeners of the proxy at ProxyConfig::control, which then ends as its connections do
};

/// A proxy of this process, in the network namespace of the calling thread. Its programs and maps live as long as the
/// process, but for the DNS cache, which may be pinned, and the wire splice. Not more than one object at a time.
///
///     auto config = sonde::read_proxy_config("proxy.json");
///     auto proxy = sonde::Proxy::start(*config, {.config_path = "proxy.json"});
///     if (!proxy) complain(proxy.error().text());
///     auto ended = proxy->wait();
class SONDE_EXPORT Proxy {
 public:
  /// Listens, tries the forwarding paths, starts the workers and gives up the privileges that are not needed any more.
  /// Clients are served when it returns. Sockets that systemd hands over (LISTEN_FDS) are taken for the listeners of
  /// the same address.
  [[nodiscard]] static Result<Proxy> start(const ProxyConfig& config, const ProxyStartOptions& options = {});

  Proxy(Proxy&&) noexcept;
  Proxy& operator=(Proxy&&) noexcept;
  /// Ends at once: connections are reset, but for those on the wire, which go on.
  ~Proxy();

  /// Waits until the proxy has ended: by stop(), or because it handed its listeners over and its connections are over.
  [[nodiscard]] Result<void> wait();

  /// Stops accepting and lets connections end, for as long as ProxyTimeouts::drain; then resets those that are left.
  /// Any thread; also from a signal handler. A second call ends at once.
  void stop() noexcept;
  /// Reads the file again and makes it hold for new connections. Established ones go on as they are. What cannot be
  /// changed while it runs (workers, user, control, maps' sizes) is an error that names the key, and nothing changes.
  [[nodiscard]] Result<void> reload();
  /// The same, asked for by a signal handler. How it went is in the log.
  void request_reload() noexcept;

  /// One line: which forwarding paths are on, and why the others are not.
  [[nodiscard]] std::string summary() const;
  /// What /status and /metrics give. Any thread.
  [[nodiscard]] std::string status_json() const;
  [[nodiscard]] std::string metrics_text() const;

 private:
  struct State;
  explicit Proxy(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Asks the proxy at a control socket: "reload", "status", "stop", "drain" or "abort". Gives its answer; an error is
/// what it said, or has the code ENOENT or ECONNREFUSED: no proxy is there.
[[nodiscard]] SONDE_EXPORT Result<std::string> ask_proxy(const std::string& control, std::string_view request);

/// What has come from one of the two peers of a connection since it was put on the wire.
struct ProxyWireStream {
  std::uint64_t bytes = 0;     ///< of payload, each once
  std::uint64_t packets = 0;   ///< as the network had them
  std::uint64_t repeated = 0;  ///< of these, with bytes that had come before: retransmissions
  bool ended = false;          ///< its FIN has come
};

enum class ProxyWireState : std::uint8_t {
  joining,      ///< packets are forwarded, and the proxy's sockets hold bytes still
  spliced,      ///< packets are forwarded, and no process is needed
  half_closed,  ///< the same, and one of the two streams has ended
  closing,      ///< both have, or a peer has reset the connection
  aborted,      ///< a peer that sends a packet is answered with a reset
};

/// A connection of the wire splice.
struct ProxyWireConnection {
  std::uint64_t id = 0;  ///< never used twice until the host boots
  ProxyWireState state = ProxyWireState::spliced;
  Endpoint client;
  Endpoint listener;  ///< the proxy's end of the client's connection
  Endpoint proxy;     ///< and of the upstream's
  Endpoint upstream;
  std::string server_name;           ///< in the ClientHello; empty: not known
  std::string route;                 ///< empty: not known
  std::chrono::nanoseconds age{0};   ///< since it was put on the wire
  std::chrono::nanoseconds idle{0};  ///< since the last packet of either peer
  ProxyWireStream from_client, from_upstream;
};

/// "joining", "spliced", "half-closed", "closing", "aborted".
[[nodiscard]] SONDE_EXPORT const char* proxy_wire_state_name(ProxyWireState state);

/// Connections that are on the wire in the network namespace of the calling thread, whether a proxy runs or not. Needs
/// root. Changes nothing.
[[nodiscard]] SONDE_EXPORT Result<std::vector<ProxyWireConnection>> list_wire_connections();

/// What drain_wire() and abort_wire() tell.
struct ProxyWireWatch {
  /// A connection is over; its line of the access log. On another thread.
  std::function<void(const std::string& line)> ended;
  /// So many are left. Asked several times a second; false: wait no longer.
  std::function<bool(std::uint32_t left)> waiting;
};

/// For connections that a proxy has left on the wire of this network namespace when it ended. Does for them what it did
/// (those that are idle too long are reset, by `timeouts` and `wire` of the configuration), until none is left; then
/// removes programs and maps from the kernel. Gives how many are left: 0, or as many as there were when `waiting` said
/// false; these go on. An error if a proxy runs: ask_proxy() that.
[[nodiscard]] SONDE_EXPORT Result<std::uint32_t> drain_wire(const ProxyConfig& config, const ProxyWireWatch& watch);
/// Resets them, both peers, and removes programs and maps from the kernel. Gives how many there were; nullopt: the maps
/// are of another version of sonde, which this one cannot read, and the kernel resets each peer when it next sends.
[[nodiscard]] SONDE_EXPORT Result<std::optional<std::uint32_t>> abort_wire(const ProxyWireWatch& watch);

/// What can be said of a forwarding path on this host.
struct ProxyPathState {
  ProxyForwarding path = ProxyForwarding::copy;
  bool on = false;
  std::string reason;  ///< why not, or how it was tried: "self-test: 2 MiB each way, half-close, reset"
};
/// Tries each path with data over loopback, and leaves nothing. What `start` does, for `sonde doctor`.
[[nodiscard]] SONDE_EXPORT std::vector<ProxyPathState> test_proxy_paths();

}  // namespace sonde
