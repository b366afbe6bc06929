// SPDX-License-Identifier: Apache-2.0
// The proxy as a whole: started, reloaded, asked, stopped.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actuators/proxy/admin/admin.hpp"
#include "actuators/proxy/client_filter/client_filter.hpp"
#include "actuators/proxy/process/control.hpp"
#include "actuators/proxy/server/listeners.hpp"
#include "actuators/proxy/server/snapshot.hpp"
#include "actuators/proxy/server/worker.hpp"
#include "actuators/proxy/stats/report.hpp"

namespace sonde::proxy {

class Server {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const ProxyConfig& config,
                                                             const ProxyStartOptions& options);
  ~Server();

  // As Proxy has them.
  [[nodiscard]] Result<void> wait();
  void stop() noexcept;
  [[nodiscard]] Result<void> reload();
  void request_reload() noexcept;
  [[nodiscard]] std::string summary() const;
  [[nodiscard]] std::string status_json();
  [[nodiscard]] std::string metrics_text();

 private:
  explicit Server(const ProxyStartOptions& options) : options_(options) {}

  Result<void> prepare(const ProxyConfig& config);
  Result<void> take_sockets(const ProxyConfig& config);
  Result<void> attach_filter(const ProxyConfig& config);
  Result<void> bind_ends(const ProxyConfig& config);
  Result<void> open_ends();
  Result<void> start_wire();
  Result<void> start_workers();
  Result<void> listen(unsigned worker, const ProxyListener& listener);
  Result<void> change_listeners(const ProxyConfig& before, const ProxyConfig& after);
  void follow_listeners(const ProxyConfig& config);
  void wake() noexcept;
  void on_workers(const std::function<void(Worker&)>& work);
  void begin_draining();
  [[nodiscard]] std::uint64_t relayed() const;
  [[nodiscard]] bool is_drained() const;
  std::string drain();
  std::string abort_wire();
  void report_traffic();
  void save();
  [[nodiscard]] ReportFacts facts();
  [[nodiscard]] ControlRequests control_requests();

  ProxyStartOptions options_;
  Shared shared_;
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<ClientFilter> filter_;
  std::string filter_state_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<HandOver> hand_over_;
  Fd admin_socket_;                              ///< until it is served
  std::optional<ControlSocket> control_socket_;  ///< the same
  std::mutex mutex_;                             ///< snapshot_, listeners_, reloading and the wire's interfaces
  SnapshotPointer snapshot_;
  Fd wake_;  ///< eventfd
  std::atomic<unsigned> stops_{0};
  std::atomic<bool> reload_wanted_{false};
  std::atomic<bool> handed_over_{false};
  std::atomic<bool> drains_wire_{false};  ///< it ends when connections on the wire have ended too
  std::atomic<bool> draining_{false};
  std::atomic<bool> running_{false};  ///< workers_ stay as they are, and take work
  std::atomic<std::uint64_t> reloads_{0};
  std::atomic<std::uint64_t> failed_reloads_{0};
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<ControlServer> control_;
};

}  // namespace sonde::proxy
