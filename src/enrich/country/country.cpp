// SPDX-License-Identifier: Apache-2.0
#include "enrich/country/country.hpp"

#include <maxminddb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sonde/endpoint.hpp"

namespace sonde::enrich {

struct CountryFile::State {
  MMDB_s database{};
  bool is_open = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (is_open) MMDB_close(&database);
  }
};

namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const std::array<std::uint8_t, 16>& address) {
  SocketAddress result;
  if (Endpoint{address, 0}.is_ipv4()) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(result.storage);
    ipv4.sin_family = AF_INET;
    std::memcpy(&ipv4.sin_addr, address.data() + 12, 4);
  } else {
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(result.storage);
    ipv6.sin6_family = AF_INET6;
    std::memcpy(&ipv6.sin6_addr, address.data(), 16);
  }
  return result;
}

std::string_view text_at(MMDB_entry_s& entry, const char* const* path) {
  MMDB_entry_data_s data{};
  if (MMDB_aget_value(&entry, &data, path) != MMDB_SUCCESS || !data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING)
    return {};
  return {data.utf8_string, data.data_size};
}

// A code reaches a terminal: two capital letters and nothing else.
bool is_code(std::string_view text) {
  return text.size() == 2 && std::ranges::all_of(text, [](char letter) { return letter >= 'A' && letter <= 'Z'; });
}

}  // namespace

Result<CountryFile> CountryFile::open(const char* option, const std::string& path) {
  auto state = std::make_shared<State>();
  const int status = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &state->database);
  const int code = status == MMDB_FILE_OPEN_ERROR ? errno : 0;
  if (status != MMDB_SUCCESS)
    return fail(ErrorKind::failed, std::string(option) + " " + path + ": " + MMDB_strerror(status),
                "expected a country file in MaxMind's format (.mmdb)", code);
  state->is_open = true;
  CountryFile file;
  file.state_ = std::move(state);
  return file;
}

std::string_view CountryFile::country(const std::array<std::uint8_t, 16>& address) const {
  const auto where = socket_address(address);
  int error = MMDB_SUCCESS;
  auto found = MMDB_lookup_sockaddr(&state_->database, where.get(), &error);
  if (error != MMDB_SUCCESS || !found.found_entry) return {};
  // MaxMind and DB-IP; IPinfo has the code itself under "country" or "country_code".
  static constexpr const char* nested[] = {"country", "iso_code", nullptr};
  static constexpr const char* flat[] = {"country_code", nullptr};
  static constexpr const char* bare[] = {"country", nullptr};
  for (const auto* path : {nested, flat, bare}) {
    const auto text = text_at(found.entry, path);
    if (is_code(text)) return text;
  }
  return {};
}

}  // namespace sonde::enrich
