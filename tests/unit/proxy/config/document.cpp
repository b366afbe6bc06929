// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"

namespace sonde::proxy {

Json least_document() { return {{"listen_addr", "127.0.0.1:8443"}, {"whitelist", {"www.example.org"}}}; }

Json with(Json document, const std::string& pointer, const Json& value) {
  document[Json::json_pointer(pointer)] = value;
  return document;
}

ProxyConfig parse_text(const std::string& text) {
  auto config = parse_proxy_config(text, "test.json");
  if (config) return *config;
  ADD_FAILURE() << config.error().text() << "\n" << text;
  return {};
}

ProxyConfig parse(const Json& document) { return parse_text(document.dump(2)); }

std::string error_of_text(const std::string& text) {
  const auto config = parse_proxy_config(text, "test.json");
  if (config) {
    ADD_FAILURE() << "is accepted:\n" << text;
    return {};
  }
  EXPECT_EQ(config.error().kind, ErrorKind::usage);
  constexpr std::string_view before = "test.json:";
  EXPECT_TRUE(config.error().message.starts_with(before)) << config.error().message;
  return config.error().text().substr(before.size());
}

std::string error_of(const Json& document) { return error_of_text(document.dump(2)); }

}  // namespace sonde::proxy
