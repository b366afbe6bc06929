// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/server.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "actuators/proxy/config/place.hpp"
#include "actuators/proxy/process/log.hpp"
#include "actuators/proxy/process/privileges.hpp"
#include "actuators/proxy/server/changes.hpp"
#include "actuators/proxy/server/wire_service.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

constexpr auto save_interval = 10s;
constexpr auto follow_interval = 1s;  // interfaces that come and go

bool may_bypass(ProxyForwarding forwarding) {
  return forwarding == ProxyForwarding::automatic || forwarding == ProxyForwarding::bypass;
}

unsigned worker_count(const ProxyConfig& config) {
  return config.workers != 0 ? config.workers : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ProxyConfig& config, const ProxyStartOptions& options) {
  std::unique_ptr<Server> server(new Server(options));
  if (auto prepared = server->prepare(config); !prepared) return std::unexpected(prepared.error());
  if (auto started = server->start_wire(); !started) return std::unexpected(started.error());
  if (auto started = server->start_workers(); !started) return std::unexpected(started.error());
  if (auto opened = server->open_ends(); !opened) return std::unexpected(opened.error());
  return server;
}

// What needs privileges, in the order in which one thing needs another.
Result<void> Server::prepare(const ProxyConfig& config) {
  const auto files = raise_file_limit();
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return fail_errno("eventfd");
  if (auto opened = open_log(config.log); !opened) return opened;
  log(LogLevel::debug, "proxy", "at most {} open files", files);
  auto statistics = Statistics::open(config, worker_count(config) + 1);  // the last row is the wire's
  if (!statistics) return std::unexpected(statistics.error());
  shared_.statistics = std::move(*statistics);
  if (auto taken = take_sockets(config); !taken) return taken;
  std::string note;
  shared_.dns_cache = DnsCache::open(config, note);
  if (!note.empty()) log(LogLevel::info, "dns", "{}", note);
  shared_.paths = make_paths(config);
  prepare_wire(shared_, options_.take_over);
  if (auto attached = attach_filter(config); !attached) return attached;
  snapshot_ = std::make_shared<const Snapshot>(config);
  follow_listeners(config);
  if (auto bound = bind_ends(config); !bound) return bound;
  auto privileges = drop_privileges(config.user);
  if (!privileges) return std::unexpected(privileges.error());
  log(LogLevel::info, "proxy", "{}; runs as {} with {}", summary(), privileges->user, privileges->kept);
  return {};
}

Result<void> Server::take_sockets(const ProxyConfig& config) {
  listeners_ = std::make_unique<Listeners>(worker_count(config));
  auto activated = activated_sockets();
  if (!activated) return std::unexpected(activated.error());
  listeners_->inherit(std::move(*activated));
  if (options_.take_over) {
    auto asked = HandOver::ask(config.control);
    if (!asked) return std::unexpected(asked.error());
    hand_over_ = std::make_unique<HandOver>(std::move(*asked));
    listeners_->inherit(hand_over_->take());
  }
  for (const auto& spare : listeners_->close_spare(config.listeners))
    log(LogLevel::warn, "listener", "{}: inherited, and no listener has this address: closed", spare.text());
  return listeners_->open(config.listeners);
}

Result<void> Server::attach_filter(const ProxyConfig& config) {
  if (!config.ebpf.enabled || !config.ebpf.xdp || config.clients.empty()) return {};
  std::vector<std::string> interfaces;
  if (!config.ebpf.xdp_interface.empty()) interfaces.push_back(config.ebpf.xdp_interface);
  auto attached = ClientFilter::attach(interfaces, addresses_of(config), config.clients);
  if (!attached && attached.error().kind != ErrorKind::unsupported) return std::unexpected(attached.error());
  if (!attached) {
    filter_state_ = "off: " + attached.error().text();  // clients are judged after accept all the same
    log(LogLevel::warn, "filter", "xdp_ip_filter {}", filter_state_);
    return {};
  }
  filter_ = std::move(*attached);
  for (const auto& interface : filter_->interfaces())
    filter_state_ += (filter_state_.empty() ? "" : ", ") + interface.how + " on " + interface.name;
  return {};
}

// Ports and paths that only root may take; nobody is answered yet.
Result<void> Server::bind_ends(const ProxyConfig& config) {
  if (config.admin) {
    auto socket = listen_on(*config.admin, true, hand_over_ ? hand_over_->pid() : 0);
    if (!socket) return std::unexpected(socket.error());
    admin_socket_ = std::move(socket->fd);
  }
  if (config.control.empty()) return {};
  auto bound = ControlSocket::bind(config.control, hand_over_.get());
  if (!bound) return std::unexpected(bound.error());
  control_socket_.emplace(std::move(*bound));
  return {};
}

// Threads of their own, so after privileges are dropped; clients are served already, and the proxy before is told so.
Result<void> Server::open_ends() {
  if (hand_over_) {
    if (auto released = hand_over_->release(); !released) return released;
    hand_over_.reset();
  }
  if (admin_socket_) {
    auto started = AdminServer::start(std::move(admin_socket_), {.metrics = [this] { return metrics_text(); },
                                                                 .status = [this] { return status_json(); },
                                                                 .healthy = [this] { return !draining_; }});
    if (!started) return std::unexpected(started.error());
    admin_ = std::move(*started);
  }
  if (!control_socket_) return {};
  auto started = ControlServer::start(std::move(*control_socket_), control_requests());
  control_socket_.reset();
  if (!started) return std::unexpected(started.error());
  control_ = std::move(*started);
  return {};
}

std::string Server::drain() {
  drains_wire_ = true;
  wake();
  const auto on_wire = shared_.wire_connections ? shared_.wire_connections->count() : 0;
  return fmt::format("draining: {} connections are left, {} of them on the wire\n", relayed() + on_wire, on_wire);
}

std::string Server::abort_wire() {
  const auto count = shared_.wire_connections ? shared_.wire_connections->abort_all() : 0;
  return fmt::format("{} connections on the wire are reset\n", count);
}

ControlRequests Server::control_requests() {
  return {.reload = [this]() -> Result<std::string> {
            if (auto done = reload(); !done) return std::unexpected(done.error());
            return "reloaded\n";
          },
          .status = [this]() -> Result<std::string> { return status_json(); },
          .stop = [this]() -> Result<std::string> {
            stop();
            return "stopping\n";
          },
          .drain = [this]() -> Result<std::string> { return drain(); },
          .abort = [this]() -> Result<std::string> { return abort_wire(); },
          .listeners = [this]() -> Result<std::vector<ListeningSocket>> {
            const std::lock_guard lock(mutex_);
            return listeners_->duplicates();
          },
          .handed_over =
              [this] {
                handed_over_ = true;
                wake();
              }};
}

// What is on the wire already counts before the first client is served.
Result<void> Server::start_wire() {
  auto* const table = shared_.wire_table();
  if (table == nullptr) return {};
  const auto& config = snapshot_->config;
  auto started =
      WireConnections::start(*table, config, *shared_.statistics, worker_count(config), shared_.client_counts);
  if (!started) return std::unexpected(started.error());
  shared_.wire_connections = std::move(*started);
  if (const auto adopted = shared_.wire_connections->adopted_connections(); adopted > 0)
    log(LogLevel::info, "wire", "connections on the wire that are adopted: {}", adopted);
  return {};
}

Result<void> Server::start_workers() {
  const auto count = worker_count(snapshot_->config);
  for (unsigned i = 0; i < count; ++i) {
    auto worker = Worker::make(i, shared_, snapshot_);
    if (!worker) return std::unexpected(worker.error());
    workers_.push_back(std::move(*worker));
    for (const auto& listener : snapshot_->config.listeners)
      if (auto listening = listen(i, listener); !listening) return listening;
  }
  for (auto& worker : workers_) worker->start();
  running_ = true;
  return {};
}

Result<void> Server::listen(unsigned worker, const ProxyListener& listener) {
  auto sockets = listeners_->sockets_of(listener.address, worker);
  if (!sockets) return std::unexpected(sockets.error());
  for (auto& socket : *sockets)
    if (auto listening = workers_[worker]->listen(listener, std::move(socket)); !listening) return listening;
  return {};
}

// Those whose clients may be bypassed, and those that the filter guards.
void Server::follow_listeners(const ProxyConfig& config) {
  if (shared_.paths.bypass) {
    std::vector<Endpoint> bypassed;
    for (const auto& listener : config.listeners)
      if (may_bypass(listener.forwarding)) bypassed.push_back(listener.address);
    if (auto set = shared_.paths.bypass->set_listeners(bypassed); !set)
      log(LogLevel::warn, "bypass", "{}", set.error().text());
  }
  if (filter_)
    if (auto set = filter_->set(addresses_of(config), config.clients); !set)
      log(LogLevel::error, "filter", "{}", set.error().text());
}

Server::~Server() {
  control_.reset();
  admin_.reset();
  workers_.clear();
  leave_wire(shared_);
}

void Server::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));
}

void Server::stop() noexcept {
  ++stops_;
  wake();
}

void Server::request_reload() noexcept {
  reload_wanted_ = true;
  wake();
}

// Runs it on each worker's thread and waits for all. Before they run there is nothing to do.
void Server::on_workers(const std::function<void(Worker&)>& work) {
  if (!running_) return;
  std::mutex mutex;
  std::condition_variable done;
  std::size_t left = workers_.size();
  for (auto& worker : workers_)
    worker->post([&, worker = worker.get()] {
      work(*worker);
      const std::lock_guard lock(mutex);
      if (--left == 0) done.notify_one();
    });
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return left == 0; });
}

void Server::report_traffic() {
  on_workers([](Worker& worker) { worker.report_traffic(); });
  if (shared_.wire_connections) shared_.wire_connections->report();
}

void Server::save() {
  report_traffic();
  if (auto saved = shared_.statistics->save(); !saved) log(LogLevel::error, "statistics", "{}", saved.error().text());
}

// Connections that need this process.
std::uint64_t Server::relayed() const {
  const auto on_wire = shared_.wire_connections ? shared_.wire_connections->active() : 0;
  const auto active = shared_.statistics->active();
  return active - std::min(active, on_wire);
}

// Those on the wire go on without it, unless it is to wait for them. Where all are over it waits some seconds for their
// late packets, so that programs and maps can leave the kernel.
bool Server::is_drained() const {
  if (relayed() > 0) return false;
  const auto* const table = shared_.wire_table();
  if (handed_over_ || table == nullptr || !shared_.wire_connections->keeps() || table->count() == 0) return true;
  const bool waits_for_all = drains_wire_ && stops_ == 0;
  return !waits_for_all && shared_.wire_connections->count() > 0;
}

void Server::begin_draining() {
  draining_ = true;
  notify_service_manager("STOPPING=1");
  if (handed_over_) admin_.reset();  // its port is the next proxy's
  const std::lock_guard lock(mutex_);
  on_workers([](Worker& worker) { worker.stop_listening(); });
  listeners_->close_all();
  if (shared_.paths.bypass)
    if (auto set = shared_.paths.bypass->set_listeners({}); !set)
      log(LogLevel::warn, "bypass", "{}", set.error().text());
  filter_.reset();
  if (handed_over_ && shared_.wire_connections) shared_.wire_connections->stand_back();
  const char* const how = handed_over_ ? "the listeners are handed over" : drains_wire_ ? "drains" : "stops";
  log(LogLevel::info, "proxy", "{}; {} connections are left", how, relayed());
}

Result<void> Server::wait() {
  notify_service_manager("READY=1");  // not before, so that who is told finds signals handled
  auto drained_at = Clock::time_point::max();
  auto next_save = Clock::now() + save_interval;
  auto next_follow = Clock::now() + follow_interval;
  while (stops_ < 2) {
    pollfd waiting{.fd = wake_.get(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, draining_ ? 20 : 1000);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto size = ::read(wake_.get(), &count, sizeof(count));
    if (reload_wanted_.exchange(false)) {
      reopen_log();
      shared_.statistics->reopen();
      [[maybe_unused]] const auto result = reload();  // it is in the log
    }
    if (!draining_ && (stops_ > 0 || handed_over_ || drains_wire_)) begin_draining();
    // Who has handed over waits for as long as there are connections.
    if (draining_ && stops_ > 0) drained_at = std::min(drained_at, Clock::now() + snapshot_->config.timeouts.drain);
    if (draining_ && (is_drained() || Clock::now() >= drained_at)) break;
    if (shared_.paths.wire && Clock::now() >= next_follow) {
      next_follow = Clock::now() + follow_interval;
      const std::lock_guard lock(mutex_);
      shared_.paths.wire->attachment().follow();
    }
    if (Clock::now() < next_save) continue;
    next_save = Clock::now() + save_interval;
    save();
  }
  if (const auto left = relayed(); left > 0) log(LogLevel::warn, "proxy", "{} connections are reset", left);
  on_workers([](Worker& worker) {
    worker.stop_listening();
    worker.abort_all();
  });
  save();
  if (shared_.wire_connections && !handed_over_)
    if (const auto left = shared_.wire_connections->count(); left > 0)
      log(LogLevel::info, "wire", "{} connections stay on the wire", left);
  log(LogLevel::info, "proxy", "ended");
  return {};
}

Result<void> Server::reload() {
  const std::lock_guard lock(mutex_);
  const auto failed = [&](const Error& error, const char* left = "nothing has changed") -> Result<void> {
    ++failed_reloads_;
    notify_service_manager("READY=1");
    log(LogLevel::error, "proxy", "reload: {}; {}", error.text(), left);
    return std::unexpected(error);
  };
  if (draining_ || !running_)
    return failed({ErrorKind::failed, 0, running_ ? "the proxy is ending" : "the proxy is starting", {}});
  if (options_.config_path.empty()) return failed({ErrorKind::failed, 0, "there is no file to read again", {}});
  notify_service_manager("RELOADING=1");
  auto config = read_proxy_config(options_.config_path);
  if (!config) return failed(config.error());
  const auto before = snapshot_;
  if (const auto key = kept_key_that_differs(before->config, *config); !key.empty())
    return failed({ErrorKind::usage, 0, place_of_key(options_.config_path, key) + ": cannot be changed while it runs",
                   "start the new one with --take-over"});
  if (auto opened = listeners_->open(config->listeners); !opened) return failed(opened.error());
  snapshot_ = std::make_shared<const Snapshot>(*config, before.get());
  if (shared_.wire_connections) shared_.wire_connections->set_config(*config);
  on_workers([&](Worker& worker) { worker.set_snapshot(snapshot_); });
  if (auto changed = change_listeners(before->config, *config); !changed)
    return failed(changed.error(), "all but this listener is as in the file");
  follow_listeners(*config);
  ++reloads_;
  log(LogLevel::info, "proxy", "{} is read again", options_.config_path);
  notify_service_manager("READY=1");
  return {};
}

// The sockets of new listeners are open already. Those that were changed keep theirs.
Result<void> Server::change_listeners(const ProxyConfig& before, const ProxyConfig& after) {
  const auto gone_or_changed = listeners_without(before.listeners, after.listeners);
  const auto fresh_or_changed = listeners_without(after.listeners, before.listeners);
  std::mutex mutex;
  Result<void> result;
  on_workers([&](Worker& worker) {
    for (const auto& listener : gone_or_changed) worker.stop_listening(listener.address);
    for (const auto& listener : fresh_or_changed) {
      auto listening = listen(worker.index(), listener);
      const std::lock_guard lock(mutex);
      if (!listening) result = std::move(listening);
    }
  });
  listeners_->close_spare(after.listeners);
  return result;
}

std::string Server::summary() const { return shared_.paths.summary(); }

ReportFacts Server::facts() {
  report_traffic();
  const std::lock_guard lock(mutex_);
  ReportFacts facts;
  facts.paths = shared_.paths.states;
  for (const auto& route : snapshot_->routes.all()) {
    const auto& group = route->upstreams;
    for (std::size_t i = 0; group && i < group->size(); ++i)
      facts.upstreams.push_back({route->config.name, group->upstream(i).text(), group->up(i),
                                 group->health_check().interval.count() > 0, group->connections(i)});
  }
  for (const auto& listener : snapshot_->config.listeners) facts.listeners.push_back(listener.address.text());
  facts.dns_cache_capacity = shared_.dns_cache->capacity();
  facts.dns_cache_in_kernel = shared_.dns_cache->in_kernel();
  facts.client_filter = filter_state_;
  if (filter_) {
    if (const auto counts = filter_->counts()) {
      facts.filter_passed = counts->passed;
      facts.filter_dropped = counts->dropped;
    }
  }
  facts.wire = wire_facts(shared_);
  facts.workers = worker_count(snapshot_->config);
  facts.draining = draining_;
  facts.reloads = reloads_;
  facts.failed_reloads = failed_reloads_;
  return facts;
}

std::string Server::status_json() { return proxy::status_json(*shared_.statistics, facts()); }
std::string Server::metrics_text() { return proxy::metrics_text(*shared_.statistics, facts()); }

}  // namespace sonde::proxy
