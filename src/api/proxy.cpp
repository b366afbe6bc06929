// SPDX-License-Identifier: Apache-2.0
#include "sonde/proxy.hpp"

#include "actuators/proxy/process/ask.hpp"
#include "actuators/proxy/server/server.hpp"

namespace sonde {

struct Proxy::State {
  std::unique_ptr<proxy::Server> server;
};

Proxy::Proxy(std::unique_ptr<State> state) : state_(std::move(state)) {}
Proxy::Proxy(Proxy&&) noexcept = default;
Proxy& Proxy::operator=(Proxy&&) noexcept = default;
Proxy::~Proxy() = default;

Result<Proxy> Proxy::start(const ProxyConfig& config, const ProxyStartOptions& options) {
  auto server = proxy::Server::start(config, options);
  if (!server) return std::unexpected(server.error());
  return Proxy(std::make_unique<State>(std::move(*server)));
}

Result<void> Proxy::wait() { return state_->server->wait(); }
void Proxy::stop() noexcept { state_->server->stop(); }
Result<void> Proxy::reload() { return state_->server->reload(); }
void Proxy::request_reload() noexcept { state_->server->request_reload(); }
std::string Proxy::summary() const { return state_->server->summary(); }
std::string Proxy::status_json() const { return state_->server->status_json(); }
std::string Proxy::metrics_text() const { return state_->server->metrics_text(); }

Result<std::string> ask_proxy(const std::string& control, std::string_view request) {
  return proxy::ask(control, request);
}

}  // namespace sonde
