// SPDX-License-Identifier: Apache-2.0
// The built program as a black box: `sonde capture` in a namespace.
#pragma once
#include <nlohmann/json.hpp>

#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

inline const std::string sonde_path = SONDE_PROGRAM;

/// How a capture ended and what it said.
struct Captured {
  int status = -1;
  std::string output;
  std::string errors;
  std::vector<Json> packets;  ///< with -o json
  Json summary;               ///< likewise

  /// Packets of a protocol ("udp") and, if given, direction.
  [[nodiscard]] std::vector<Json> only(const std::string& protocol, const std::string& direction = "") const;
  [[nodiscard]] bool balanced() const { return errors.find("the books balance") != std::string::npos; }
  /// A row of the ledger on standard error: taken, given, filtered, lost.
  [[nodiscard]] std::vector<std::uint64_t> stage(const std::string& name) const;
};

/// `sonde capture WORDS`, ready: its hooks are attached.
class Capturing {
 public:
  Capturing(const NetworkNamespace& where, const Words& words);
  [[nodiscard]] Process& process() { return process_; }
  /// Ends it by a signal; 0: waits for its own end.
  Captured end(int signal = SIGINT);

 private:
  Process process_;
};

/// Runs it around the traffic, with `-o json` unless the words hold an output.
Captured capture(const NetworkNamespace& where, const Words& words, const std::function<void()>& traffic,
                 int signal = SIGINT);

/// Runs `sonde WORDS` to its end.
Captured run_sonde(const NetworkNamespace& where, const Words& words);

/// Rows of `tshark -T fields` of a file.
std::vector<std::vector<std::string>> tshark_rows(const std::string& file, const Words& fields,
                                                  const std::string& filter = "");

/// A UDP frame as the builder makes it, of at least 60 bytes.
Bytes udp_frame(std::uint16_t destination_port = 53, std::size_t payload = 18);

}  // namespace sonde::test
