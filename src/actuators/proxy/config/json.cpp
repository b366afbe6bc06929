// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/config/json.hpp"

#include <fmt/format.h>

#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace sonde::proxy {
namespace {

constexpr std::size_t most_levels = 16;

// The parser looks one byte beyond a number, which may be the end of its line.
struct Lines {
  std::uint32_t current = 1;
  std::uint32_t of_last_token = 1;
};

/// Bytes of the text, counting lines as they are taken.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, Lines& lines) : at_(at), lines_(&lines) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    if (*at_ == '\n')
      ++lines_->current;
    else if (*at_ != ' ' && *at_ != '\t' && *at_ != '\r')
      lines_->of_last_token = lines_->current;
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    auto before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  Lines* lines_;
};

/// nlohmann::json_sax, by its member functions.
class Builder {
 public:
  using Json = nlohmann::json;

  explicit Builder(const Lines& lines) : lines_(lines) {}

  bool null() { return add(Node::Kind::null) != nullptr; }
  bool boolean(bool value) {
    add(Node::Kind::boolean)->boolean = value;
    return true;
  }
  bool number_integer(Json::number_integer_t value) {
    auto* const node = add(Node::Kind::integer);
    node->integer = value;
    node->real = static_cast<double>(value);
    return true;
  }
  bool number_unsigned(Json::number_unsigned_t value) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      add(Node::Kind::real)->real = static_cast<double>(value);
      return true;
    }
    return number_integer(static_cast<std::int64_t>(value));
  }
  bool number_float(Json::number_float_t value, const std::string&) {
    add(Node::Kind::real)->real = value;
    return true;
  }
  bool string(std::string& value) {
    add(Node::Kind::text)->text = std::move(value);
    return true;
  }
  static bool binary(Json::binary_t&) { return false; }  // not in text
  bool start_object(std::size_t) { return open(Node::Kind::object); }
  bool start_array(std::size_t) { return open(Node::Kind::list); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& key) {
    if (!levels_.back().keys.insert(key).second)
      return refuse(path() + printable(key) + ": given twice: expected once");
    key_ = std::move(key);
    key_line_ = lines_.of_last_token;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 2, column 1: syntax error while ..."
    std::string_view what = error.what();
    for (const std::string_view before : {"] ", "column "}) {
      const auto at = what.find(before);
      if (at != std::string_view::npos) what.remove_prefix(at + before.size());
    }
    if (const auto at = what.find(": "); at < 10) what.remove_prefix(at + 2);
    return refuse("not JSON: " + printable(what));
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] Node take() { return std::move(root_); }

 private:
  struct Level {
    Node* node;
    std::unordered_set<std::string> keys;
  };

  // The vector that a new node goes to may move its nodes: none of them is open any more.
  Node* add(Node::Kind kind) {
    Node* node = &root_;
    if (!levels_.empty()) {
      node = &levels_.back().node->children.emplace_back();
      node->key = std::move(key_);
      node->key_line = key_line_;
      key_.clear();
    }
    node->kind = kind;
    node->line = lines_.of_last_token;
    return node;
  }
  bool open(Node::Kind kind) {
    if (levels_.size() == most_levels)
      return refuse(fmt::format("more than {} levels of lists and objects", most_levels));
    levels_.push_back({add(kind), {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }
  /// Of the object that is open, with the dot behind it.
  [[nodiscard]] std::string path() const {
    std::string path;
    for (std::size_t i = 1; i < levels_.size(); ++i) {
      const auto& parent = *levels_[i - 1].node;
      if (parent.kind == Node::Kind::list)
        path += fmt::format("[{}]", parent.children.size() - 1);
      else
        path += (path.empty() ? "" : ".") + printable(levels_[i].node->key);
    }
    return path.empty() ? path : path + ".";
  }
  bool refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  const Lines& lines_;
  Node root_;
  std::vector<Level> levels_;
  std::string key_;
  std::uint32_t key_line_ = 1;
  std::string problem_;
};

}  // namespace

Result<Node> parse_json(std::string_view text, const std::string& name) {
  Lines lines;
  Builder builder(lines);
  const CountingIterator begin(text.begin(), lines);
  const CountingIterator end(text.end(), lines);
  if (nlohmann::json::sax_parse(begin, end, &builder)) return builder.take();
  return fail(ErrorKind::usage, fmt::format("{}:{}: {}", name, lines.of_last_token, builder.problem()));
}

std::string printable(std::string_view text) {
  constexpr std::size_t longest = 100;
  std::string result;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f)
      result += fmt::format("\\x{:02x}", byte);
    else
      result += c;
  }
  return result + (text.size() > longest ? "..." : "");
}

std::string in_quotes(std::string_view text) { return '"' + printable(text) + '"'; }

}  // namespace sonde::proxy
