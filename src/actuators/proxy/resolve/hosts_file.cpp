// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/hosts_file.hpp"

#include <arpa/inet.h>

#include <chrono>
#include <fstream>
#include <sstream>

namespace sonde::proxy {
namespace {

bool same(const struct ::stat& one, const struct ::stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino && one.st_size == other.st_size &&
         one.st_mtim.tv_sec == other.st_mtim.tv_sec && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

}  // namespace

bool FileWatch::has_changed(Clock::time_point now) {
  if (seen_ && now < next_) return false;
  next_ = now + std::chrono::seconds(1);
  struct ::stat facts {};
  if (::stat(path_.c_str(), &facts) != 0) facts = {};
  if (seen_ && same(facts, last_)) return false;
  seen_ = true;
  last_ = facts;
  return true;
}

Addresses HostsFile::find(const std::string& name, Clock::time_point now) {
  if (watch_.has_changed(now)) read();
  const auto found = names_.find(name);
  return found == names_.end() ? Addresses() : found->second;
}

void HostsFile::read() {
  names_.clear();
  std::ifstream file(watch_.path());
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    Endpoint address;
    if (!(words >> word) || !read_address(word, address)) continue;
    while (words >> word) names_[fold_name(std::move(word))].push_back(address);
  }
}

bool read_address(const std::string& text, Endpoint& endpoint) {
  endpoint = {};
  if (::inet_pton(AF_INET6, text.c_str(), endpoint.address.data()) == 1) return true;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return ::inet_pton(AF_INET, text.c_str(), &endpoint.address[12]) == 1;
}

std::string fold_name(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  if (name.ends_with('.')) name.pop_back();
  return name;
}

}  // namespace sonde::proxy
