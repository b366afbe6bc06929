// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/admin/pages.hpp"

#include <array>
#include <string_view>

namespace sonde::proxy {
namespace {

namespace http = boost::beast::http;

constexpr const char* plain = "text/plain; charset=utf-8";

struct Page {
  http::status status = http::status::ok;
  const char* type = plain;
  std::string body;
};

Page index(const AdminPages&) {
  return {.type = plain,
          .body =
              "sonde proxy\n\n"
              "/metrics  counters, Prometheus text format\n"
              "/status   counters, paths, upstreams and clients, JSON\n"
              "/healthz  200 while connections are accepted, else 503\n"};
}
Page metrics(const AdminPages& pages) {
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = pages.metrics()};
}
Page status(const AdminPages& pages) { return {.type = "application/json", .body = pages.status()}; }
Page health(const AdminPages& pages) {
  if (pages.healthy()) return {.type = plain, .body = "ok\n"};
  return {.status = http::status::service_unavailable, .type = plain, .body = "draining\n"};
}

struct Route {
  std::string_view path;
  Page (*page)(const AdminPages&);
};
constexpr std::array<Route, 4> routes{{{"/", index}, {"/metrics", metrics}, {"/status", status}, {"/healthz", health}}};

AdminResponse respond(Page page, unsigned version, bool keep_alive, bool with_body) {
  AdminResponse response(page.status, version);
  response.set(http::field::server, "sonde");
  response.set(http::field::content_type, page.type);
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(keep_alive);
  response.content_length(page.body.size());  // of HEAD too (RFC 9110 8.6)
  if (with_body) response.body() = std::move(page.body);
  return response;
}

}  // namespace

AdminResponse answer(const AdminRequest& request, const AdminPages& pages) {
  const bool head = request.method() == http::verb::head;
  const auto reply = [&](Page page) {
    return respond(std::move(page), request.version(), request.keep_alive(), !head);
  };
  if (request.method() != http::verb::get && !head) {
    auto response = reply({.status = http::status::method_not_allowed, .type = plain, .body = "GET or HEAD\n"});
    response.set(http::field::allow, "GET, HEAD");
    return response;
  }
  const auto target = request.target();
  const std::string_view path = std::string_view(target.data(), target.size()).substr(0, target.find('?'));
  for (const Route& route : routes)
    if (route.path == path) return reply(route.page(pages));
  return reply({.status = http::status::not_found, .type = plain, .body = "/, /metrics, /status or /healthz\n"});
}

AdminResponse bad_request() {
  return respond({.status = http::status::bad_request, .type = plain, .body = "not a request\n"}, 11, false, true);
}

}  // namespace sonde::proxy
