// SPDX-License-Identifier: Apache-2.0
#include "proxied.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "actuators/proxy/wire/attachment.hpp"
#include "actuators/proxy/wire/table.hpp"
#include "actuators/proxy/wire/table_maps.hpp"
#include "harness/command.hpp"

namespace sonde::test {

namespace fs = std::filesystem;

Folder::Folder() {
  std::string name = fs::temp_directory_path() / "sonde-proxy-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
  path_ = name;
  fs::permissions(path_, fs::perms::all);  // the proxy's user writes there
}

Folder::~Folder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

std::string Folder::write(const std::string& name, const std::string& content) const {
  const auto path = file(name);
  const auto fresh = path + ".new";
  std::ofstream(fresh) << content;
  fs::permissions(fresh, fs::perms(0644));
  fs::rename(fresh, path);
  return path;
}

Json Proxied::completed(Json config) const {
  if (!config.contains("control")) config["control"] = control();
  if (!config.contains("access_log")) config["access_log"] = folder_.file("access.log");
  if (!config.contains("ebpf")) config["ebpf"] = {{"dns_cache", {{"pinned", false}}}};
  if (!config.contains("workers")) config["workers"] = 2;
  return config;
}

Proxied::Proxied(const NetworkNamespace& where, const Json& config, const std::vector<std::string>& words,
                 const std::vector<std::string>& before)
    : where_(where) {
  folder_.write("proxy.json", completed(config).dump(1));
  auto arguments = before;
  arguments.insert(arguments.end(), {SONDE_PROGRAM, "proxy", config_path()});
  arguments.insert(arguments.end(), words.begin(), words.end());
  process_ = std::make_unique<Process>(where, arguments);
  if (!process_->wait_for_error_text("listens on", proxy_patience))
    throw std::runtime_error("the proxy does not start: " + process_->output() + process_->errors());
}

Proxied::~Proxied() {
  process_.reset();
  where_.call([] {
    const auto table = proxy::Table::find();
    if (table && *table) {
      EXPECT_TRUE(proxy::Attachment::remove((*table)->directory()));
      EXPECT_TRUE((*table)->unpin());
    }
    // One that has given up root could remove its pins, and not the folder.
    if (const auto directory = proxy::table_directory()) ::rmdir(directory->c_str());
  });
}

Proxied::Answer Proxied::ask(const std::string& word) const {
  Process process(where_, {SONDE_PROGRAM, "proxy", word, "--control", control()});
  const int status = process.wait(proxy_patience);
  return {status, process.output() + process.errors()};
}

Json Proxied::status() const {
  const auto answer = ask("status");
  if (answer.status != 0) throw std::runtime_error("sonde proxy status: " + answer.text);
  return Json::parse(answer.text);
}

std::uint64_t Proxied::statistic(const std::string& name) const { return status().at("statistics").at(name); }

std::uint64_t Proxied::refusals(const std::string& name) const { return status().at("refusals").at(name); }

std::vector<Json> Proxied::log(std::size_t count) const {
  std::vector<Json> lines;
  const auto read = [&] {
    lines.clear();
    for (const auto& line : lines_of(read_file(folder_.file("access.log")))) {
      if (auto parsed = Json::parse(line, nullptr, false); parsed.is_object()) lines.push_back(std::move(parsed));
    }
    return lines.size() >= count;
  };
  if (!eventually(read))
    throw std::runtime_error(fmt::format("{} lines of the access log, expected {}", lines.size(), count));
  return lines;
}

void Proxied::change(const Json& config) { folder_.write("proxy.json", completed(config).dump(1)); }

std::unique_ptr<Process> Proxied::successor() {
  auto process =
      std::make_unique<Process>(where_, std::vector<std::string>{SONDE_PROGRAM, "proxy", config_path(), "--take-over"});
  if (!process->wait_for_error_text("listens on", proxy_patience))
    throw std::runtime_error("the successor does not start: " + process->output() + process->errors());
  return process;
}

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return true;
}

Peer::Peer(const NetworkNamespace& where, std::vector<std::string> words) {
  const auto pipe = folder_.file("input");
  if (::mkfifo(pipe.c_str(), 0600) != 0) throw std::runtime_error("mkfifo " + pipe);
  words.insert(words.begin(), {"sh", "-c", "pipe=$1; shift; exec python3 -IS \"$@\" <$pipe", "sh", pipe, SONDE_PEERS});
  process_ = std::make_unique<Process>(where, std::move(words));
  const auto opened = eventually([&] {  // once it reads
    input_.reset(::open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    return static_cast<bool>(input_);
  });
  if (!opened) throw std::runtime_error("it does not start: " + process_->errors());
}

Peer::~Peer() = default;

std::vector<Json> Peer::lines() const {
  std::vector<Json> lines;
  for (const auto& line : lines_of(process_->output()))
    if (auto parsed = Json::parse(line, nullptr, false); parsed.is_object()) lines.push_back(std::move(parsed));
  return lines;
}

std::vector<Json> Peer::lines_with(const std::string& member) const {
  auto all = lines();
  std::erase_if(all, [&](const Json& line) { return !line.contains(member); });
  return all;
}

Json Peer::expect(const std::string& member, std::chrono::milliseconds patience) {
  std::vector<Json> found;
  const auto came = eventually(
      [&] {
        found = lines_with(member);
        return !found.empty();
      },
      patience);
  if (!came) throw std::runtime_error("no " + member + ": " + process_->output() + process_->errors());
  return found.back();
}

void Peer::close_input() { input_.reset(); }

void Peer::finish(std::chrono::milliseconds patience) {
  close_input();
  EXPECT_EQ(process_->wait(patience), 0) << process_->output() << process_->errors();
}

Json peer_says(const NetworkNamespace& where, const std::vector<std::string>& words, const std::string& member) {
  Peer peer(where, words);
  const auto line = peer.expect(member);
  peer.finish();
  return line;
}

Outcome outcome_of(const NetworkNamespace& where, const std::string& command) {
  Process process(where, {"sh", "-c", command});
  const int status = process.wait(proxy_patience);
  return {status, process.output() + process.errors()};
}

Json one_route(const std::string& listener, const std::string& upstream, const std::string& name) {
  return {{"listen_addr", listener},
          {"routes", Json::array({{{"name", "route"}, {"sni", {name}}, {"upstreams", {upstream}}}})}};
}

}  // namespace sonde::test
