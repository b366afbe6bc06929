// SPDX-License-Identifier: Apache-2.0
#include "relayed.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>

#include "base/socket_address.hpp"
#include "harness/command.hpp"
#include "peers.hpp"

namespace sonde::proxy::test {
namespace {

using sonde::test::NetworkNamespace;

constexpr timeval patience{30, 0};  // of one read or write

Endpoint endpoint(std::uint8_t net, std::uint8_t host, std::uint16_t port) {
  Endpoint made;
  made.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, net, 0, host};
  made.port = port;
  return made;
}

// A reset that overtakes what was lost before it is not taken: it is asked for again (RFC 5961 section 3.2), but not
// within half a second of another such question (net.ipv4.tcp_invalid_ratelimit), and then nothing comes any more. Who
// only reads learns of it by keepalive; the proxy has none, so on such a line peers do not reset before they are heard.
void set_patience(const Fd& fd) {
  constexpr int idle_seconds = 3, interval_seconds = 1, on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds));
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof(interval_seconds));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

Fd tcp_socket() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_patience(fd);
  return fd;
}

// A second way from a device to the host it belongs to, of 80 Mbit/s: what takes it comes after what was behind it.
// Resets are let through: nobody sends them again.
void disturb_end(const NetworkNamespace& where, const std::string& device, int lose_every) {
  const std::string slow = "s" + device;
  where.run(
      fmt::format("ip link add {0}a type veth peer name {0}b address $(cat /sys/class/net/{1}/address 2>/dev/null || "
                  "ip -br link show {1} | tr -s ' ' | cut -d' ' -f3); ip link set {0}a up; ip link set {0}b up; "
                  "tc qdisc add dev {0}a root tbf rate 80mbit burst 70k limit 4m; "
                  "for f in all {0}b {1}; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done",
                  slow, device));
  where.run(
      fmt::format("nft 'table netdev line {{ counter lost {{ }}; counter late {{ }}; "
                  "chain in_{0} {{ type filter hook ingress device {0} priority 0; tcp flags & rst == rst accept; "
                  "ip protocol tcp numgen inc mod {1} 0 counter name lost drop; "
                  "ip protocol tcp numgen inc mod 20 7 counter name late fwd to {2}a; }}; }}'",
                  device, lose_every, slow));
}

struct Session {
  Plan plan;
  Got client;
  Got upstream;
  std::atomic<bool> upstream_came = false;
};

PeerTask client_task(const Plan& plan, Fd fd) {
  return {.fd = std::move(fd),
          .write_seed = plan.seed,
          .write_bytes = plan.to_upstream,
          .read_seed = ~plan.seed,
          .waits_for_end = plan.end == PlanEnd::upstream_first || plan.end == PlanEnd::upstream_resets,
          .resets = plan.end == PlanEnd::client_resets,
          .pauses = plan.pauses};
}

PeerTask upstream_task(const Plan& plan, Fd fd) {
  return {.fd = std::move(fd),
          .write_seed = ~plan.seed,
          .write_bytes = plan.to_client,
          .read_seed = plan.seed,
          .waits_for_end = plan.end == PlanEnd::client_first || plan.end == PlanEnd::client_resets,
          .resets = plan.end == PlanEnd::upstream_resets,
          .pauses = plan.pauses};
}

void judge(const Session& session, std::vector<std::string>& faults) {
  const Plan& plan = session.plan;
  const auto name =
      fmt::format("seed {} end {} {}/{}", plan.seed, static_cast<int>(plan.end), plan.to_upstream, plan.to_client);
  const auto check = [&](const char* who, const Got& got, std::uint64_t bytes, bool other_resets, bool resets) {
    if (got.wrong) faults.push_back(fmt::format("{}: {} got other bytes", name, who));
    if (resets) return;  // what it had not read by then is gone
    if (other_resets) {
      if (got.bytes > bytes) faults.push_back(fmt::format("{}: {} got {} bytes", name, who, got.bytes));
      if (got.error != ECONNRESET && got.error != EPIPE)
        faults.push_back(fmt::format("{}: {} got no reset but {} after {} bytes", name, who, got.error, got.bytes));
    } else if (got.bytes != bytes || got.error != 0) {
      faults.push_back(fmt::format("{}: {} got {} bytes, error {}", name, who, got.bytes, got.error));
    }
  };
  const bool client_resets = plan.end == PlanEnd::client_resets;
  const bool upstream_resets = plan.end == PlanEnd::upstream_resets;
  if (!session.upstream_came && !client_resets) faults.push_back(name + ": never came to the upstream");
  if (session.upstream_came) check("upstream", session.upstream, plan.to_upstream, client_resets, upstream_resets);
  check("client", session.client, plan.to_client, upstream_resets, client_resets);
}

/// Sessions by the port that the client has; the upstream learns which by what the proxy sends first.
class Sessions {
 public:
  Sessions(const Line& line, const std::vector<Plan>& plans) : line_(line), sessions_(plans.size()) {
    for (std::size_t i = 0; i < plans.size(); ++i) sessions_[i].plan = plans[i];
    line.upstream.call([&] {
      listener_ = tcp_socket();
      const SocketAddress address(endpoint(32, 1, 0));
      if (::bind(listener_.get(), address.get(), address.size()) != 0 || ::listen(listener_.get(), 1024) != 0)
        throw std::runtime_error("listen");
    });
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~Sessions() { stop(); }

  [[nodiscard]] Endpoint address() const { return local_endpoint(listener_.get()); }

  void run(const Endpoint& proxy, std::size_t at_once) {
    std::atomic<std::size_t> next = 0;
    std::vector<std::thread> clients;
    for (std::size_t i = 0; i < at_once; ++i)
      clients.emplace_back([&] {
        for (std::size_t one = next++; one < sessions_.size(); one = next++) run_client(one, proxy);
      });
    for (auto& client : clients) client.join();
    stop();
  }

  void judge_all(PlanRun& run) const {
    for (const auto& session : sessions_) {
      judge(session, run.faults);
      run.to_upstream += session.upstream.bytes;
      run.to_client += session.client.bytes;
    }
  }

 private:
  // Four bytes before the stream say whose it is.
  void run_client(std::size_t number, const Endpoint& proxy) {
    Session& session = sessions_[number];
    Fd fd;
    line_.client.call([&] { fd = tcp_socket(); });
    const SocketAddress address(proxy);
    const auto tag = static_cast<std::uint32_t>(number);
    if (::connect(fd.get(), address.get(), address.size()) != 0 ||
        ::send(fd.get(), &tag, sizeof(tag), MSG_NOSIGNAL) != sizeof(tag)) {
      session.client.error = errno;
      return;
    }
    auto task = client_task(session.plan, std::move(fd));
    task.resets_late = line_.disturbed();
    session.client = run_peer(task);
  }

  void accept_all() {
    for (;;) {
      Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (stopping_) return;
      if (!fd) continue;
      set_patience(fd);
      const std::lock_guard lock(mutex_);
      upstreams_.emplace_back([this, taken = std::move(fd)]() mutable { run_upstream(std::move(taken)); });
    }
  }

  void run_upstream(Fd fd) {
    std::uint32_t tag = 0;
    if (::recv(fd.get(), &tag, sizeof(tag), MSG_WAITALL) != sizeof(tag) || tag >= sessions_.size()) return;
    Session& session = sessions_[tag];
    session.upstream_came = true;
    auto task = upstream_task(session.plan, std::move(fd));
    task.resets_late = line_.disturbed();
    session.upstream = run_peer(task);
  }

  void stop() {
    if (stopping_.exchange(true)) return;
    ::shutdown(listener_.get(), SHUT_RDWR);
    accepting_.join();
    for (auto& upstream : upstreams_) upstream.join();
  }

  const Line& line_;
  std::vector<Session> sessions_;
  Fd listener_;
  std::atomic<bool> stopping_ = false;
  std::thread accepting_;
  std::mutex mutex_;
  std::vector<std::thread> upstreams_;
};

}  // namespace

Line::Line() {
  sonde::test::add_veth(client, "c0", proxy, "p0");
  sonde::test::add_veth(upstream, "u0", proxy, "p1");
  client.run("ip addr add 10.31.0.1/24 dev c0");
  proxy.run("ip addr add 10.31.0.2/24 dev p0; ip addr add 10.32.0.2/24 dev p1");
  upstream.run("ip addr add 10.32.0.1/24 dev u0");
}

void Line::disturb(int lose_every) {
  disturbed_ = true;
  disturb_end(client, "c0", lose_every);
  disturb_end(proxy, "p0", lose_every);
  disturb_end(proxy, "p1", lose_every);
  disturb_end(upstream, "u0", lose_every);
}

std::uint64_t Line::count(const std::string& counter) const {
  std::uint64_t packets = 0;
  for (const auto* where : {&client, &proxy, &upstream}) {
    const auto text = where->run("nft list counter netdev line " + counter);
    packets += std::stoull(text.substr(text.find("packets ") + 8));
  }
  return packets;
}

std::vector<Plan> random_plans(std::size_t count, std::uint64_t seed, std::uint64_t most) {
  std::mt19937_64 random(seed);
  const auto size = [&] { return random() % 10 == 0 ? 0 : (random() % most) >> (random() % 16); };
  std::vector<Plan> plans(count);
  for (auto& plan : plans) {
    plan.seed = random();
    plan.to_upstream = size();
    plan.to_client = size();
    plan.end = static_cast<PlanEnd>(random() % 5);
    plan.pauses = random() % 2 == 0;
  }
  return plans;
}

PlanRun run_plans(const Line& line, const std::vector<Plan>& plans, std::size_t at_once, TrialOptions options) {
  Sessions sessions(line, plans);
  options.listen = endpoint(31, 2, 0);
  options.backend = sessions.address();
  // A client whose SYN was lost sends what is lost after it again in 3 s (RFC 6298 section 5.7).
  options.patience = std::chrono::seconds{patience.tv_sec};
  std::unique_ptr<TrialProxy> proxy;
  line.proxy.call([&] {
    auto started = TrialProxy::start(options);
    if (!started) throw std::runtime_error(started.error().text());
    proxy = std::move(*started);
  });
  PlanRun run;
  sessions.run(proxy->address(), at_once);
  for (int i = 0; i < 300 && proxy->results().size() < plans.size(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  run.results = proxy->results();
  sessions.judge_all(run);
  return run;
}

}  // namespace sonde::proxy::test
