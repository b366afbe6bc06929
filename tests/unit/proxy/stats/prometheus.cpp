// SPDX-License-Identifier: Apache-2.0
#include "prometheus.hpp"

#include <cctype>
#include <cstdlib>
#include <set>
#include <sstream>

namespace sonde::test {
namespace {

class Reader {
 public:
  explicit Reader(const std::string& line) : line_(line) {}

  bool name(std::string& out, bool colons) {
    out.clear();
    while (at_ < line_.size()) {
      const auto c = static_cast<unsigned char>(line_[at_]);
      const bool allowed = std::isalpha(c) || c == '_' || (colons && c == ':') || (!out.empty() && std::isdigit(c));
      if (!allowed) break;
      out += line_[at_++];
    }
    return !out.empty();
  }
  bool take(char c) {
    if (at_ >= line_.size() || line_[at_] != c) return false;
    ++at_;
    return true;
  }
  // Between quotes; '\\', '\"' and '\n' only.
  bool value(std::string& out) {
    out.clear();
    if (!take('"')) return false;
    for (; at_ < line_.size() && line_[at_] != '"'; ++at_) {
      if (line_[at_] != '\\') {
        out += line_[at_];
        continue;
      }
      if (++at_ == line_.size()) return false;
      const char c = line_[at_];
      if (c != '\\' && c != '"' && c != 'n') return false;
      out += c == 'n' ? '\n' : c;
    }
    return take('"');
  }
  [[nodiscard]] std::string rest() const { return line_.substr(at_); }

 private:
  const std::string& line_;
  std::size_t at_ = 0;
};

class Parser {
 public:
  Metrics run(const std::string& text) {
    if (text.empty() || text.back() != '\n') return {.samples = {}, .types = {}, .error = "the last line has no end"};
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line) && metrics_.error.empty();) {
      const bool well = line.starts_with("# ") ? comment(line.substr(2)) : sample(line);
      if (!well) metrics_.error = "line: " + line;
    }
    return metrics_;
  }

 private:
  bool comment(const std::string& line) {
    std::istringstream words(line);
    std::string keyword, family, type;
    words >> keyword >> family;
    if (keyword == "HELP") return helped_.insert(family).second && !metrics_.types.contains(family);
    if (keyword != "TYPE" || !(words >> type)) return false;
    static const std::set<std::string> known{"counter", "gauge", "histogram", "summary", "untyped"};
    family_ = family;
    // A family is in one piece, with its help before its type.
    return known.contains(type) && helped_.contains(family) && metrics_.types.emplace(family, type).second &&
           (type == "counter") == family.ends_with("_total");
  }
  bool sample(const std::string& line) {
    Reader reader(line);
    std::string name, label, value;
    if (!reader.name(name, true) || name != family_) return false;
    std::map<std::string, std::string> labels;
    if (reader.take('{')) {
      do {
        if (!reader.name(label, false) || !reader.take('=') || !reader.value(value)) return false;
        if (!labels.emplace(label, value).second) return false;
      } while (reader.take(','));
      if (!reader.take('}')) return false;
    }
    if (!reader.take(' ')) return false;
    const std::string number = reader.rest();
    char* end = nullptr;
    const double parsed = std::strtod(number.c_str(), &end);
    if (number.empty() || std::isspace(static_cast<unsigned char>(number[0])) || *end != '\0') return false;
    if (metrics_.types[family_] == "counter" && parsed < 0) return false;
    std::string key = name;
    for (const auto& [one, text] : labels) key += (key == name ? "{" : ",") + one + "=\"" + text + "\"";
    if (!labels.empty()) key += "}";
    return metrics_.samples.emplace(key, parsed).second;
  }

  Metrics metrics_;
  std::set<std::string> helped_;
  std::string family_;
};

}  // namespace

Metrics parse_metrics(const std::string& text) { return Parser().run(text); }

}  // namespace sonde::test
