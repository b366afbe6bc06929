// SPDX-License-Identifier: Apache-2.0
#include "decode/http.hpp"

#include <algorithm>
#include <array>

#include "decode/escape.hpp"

namespace sonde::decode {
namespace {

// RFC 9110 9, RFC 5789, and the methods of WebDAV (RFC 4918, 3253, 5323), which are seen in practice.
constexpr std::array<std::string_view, 21> methods = {
    "GET",    "POST",       "PUT",      "HEAD",      "DELETE", "OPTIONS",    "PATCH",
    "TRACE",  "CONNECT",    "PROPFIND", "PROPPATCH", "MKCOL",  "COPY",       "MOVE",
    "SEARCH", "MKACTIVITY", "CHECKOUT", "MERGE",     "REPORT", "MKCALENDAR", "NOTIFY",
};

bool is_digit(char character) { return character >= '0' && character <= '9'; }
bool is_visible(char character) { return static_cast<unsigned char>(character) > ' ' && character != 0x7f; }

struct Line {
  std::string_view text;  // without CR LF
  bool complete = false;
};

Line first_line(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return {text, false};
  std::string_view line = text.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return {line, true};
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t";
  const std::size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

// A Host whose line is incomplete is left out: half a name would be taken for a name.
std::string_view find_host(std::string_view headers) {
  while (!headers.empty()) {
    const Line line = first_line(headers);
    if (!line.complete || line.text.empty()) return {};
    const std::size_t colon = line.text.find(':');
    if (colon != std::string_view::npos && equal_ignoring_case(line.text.substr(0, colon), "host")) {
      return trim(line.text.substr(colon + 1));
    }
    headers.remove_prefix(headers.find('\n') + 1);
  }
  return {};
}

// "HTTP/1.0" or "HTTP/1.1"; 0 for anything else.
char minor_version(std::string_view version) {
  if (version.size() != 8 || !version.starts_with("HTTP/1.")) return 0;
  return version[7] == '0' || version[7] == '1' ? version[7] : '\0';
}

std::optional<HttpMessage> decode_request(std::string_view method, std::string_view text) {
  const Line line = first_line(text);
  std::string_view rest = line.text.substr(method.size() + 1);
  HttpMessage message{.request = true, .cut = !line.complete, .method = method};
  const std::size_t space = rest.find(' ');
  message.target = rest.substr(0, space);
  if (message.target.empty() || !std::ranges::all_of(message.target, is_visible)) return std::nullopt;
  const std::string_view version = space == std::string_view::npos ? "" : rest.substr(space + 1);
  message.minor_version = minor_version(version);
  if (message.minor_version == 0) {
    // A carriage return may already be there when the line feed is not.
    if (line.complete || !std::string_view("HTTP/1.").starts_with(version.substr(0, 7))) return std::nullopt;
    if (version.size() > 7 && minor_version(version.substr(0, 8)) == 0) return std::nullopt;
    message.minor_version = minor_version(version.substr(0, 8));
    return message;
  }
  if (line.complete) message.host = find_host(text.substr(text.find('\n') + 1));
  return message;
}

std::optional<HttpMessage> decode_response(std::string_view text) {
  const Line line = first_line(text);
  HttpMessage message{.cut = !line.complete};
  message.minor_version = minor_version(line.text.substr(0, 8));
  const std::string_view rest = line.text.substr(std::min<std::size_t>(8, line.text.size()));
  if (message.minor_version == 0 || rest.size() < 4 || rest[0] != ' ') return std::nullopt;
  if (!std::ranges::all_of(rest.substr(1, 3), is_digit) || rest[1] == '0') return std::nullopt;
  if (rest.size() > 4 && rest[4] != ' ' && rest[4] != '\r') return std::nullopt;
  message.status = (rest[1] - '0') * 100 + (rest[2] - '0') * 10 + (rest[3] - '0');
  message.reason = trim(rest.substr(std::min<std::size_t>(5, rest.size())));
  if (message.reason.ends_with('\r')) message.reason.remove_suffix(1);
  return message;
}

void append_request(std::string& out, const HttpMessage& message) {
  out += message.method;
  out += ' ';
  append_escaped(out, message.target);
  if (message.host.empty()) return;
  out += " Host: ";
  append_escaped(out, message.host);
}

void append_response(std::string& out, const HttpMessage& message) {
  out += std::to_string(message.status);
  if (message.reason.empty()) return;
  out += ' ';
  append_escaped(out, message.reason);
}

}  // namespace

std::span<const std::string_view> http_methods() { return methods; }

std::optional<HttpMessage> decode_http(Bytes payload) {
  const std::string_view text = as_text(payload);
  if (text.starts_with("HTTP/1.")) return decode_response(text);
  for (const std::string_view method : methods) {
    const bool found = text.size() > method.size() && text[method.size()] == ' ' && text.starts_with(method);
    if (found) return decode_request(method, text);
  }
  return std::nullopt;
}

std::string to_text(const HttpMessage& message) {
  std::string out = message.minor_version == '0' ? "HTTP/1.0 " : "HTTP ";
  message.request ? append_request(out, message) : append_response(out, message);
  if (message.cut) out += " [cut]";
  return out;
}

}  // namespace sonde::decode
