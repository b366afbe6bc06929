// SPDX-License-Identifier: Apache-2.0
// Lines to words, and back.
#include <string>

#include "actuators/guard/words.hpp"

namespace sonde::guard {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Reads one word with quotes from `at` on; false: a quote is not closed.
bool read_quoted(std::string_view line, std::size_t& at, std::string& word) {
  char quote = 0;
  for (; at < line.size(); ++at) {
    const char c = line[at];
    if (quote == 0 && blank(c)) return true;
    if (c == '\\' && quote != '\'' && at + 1 < line.size())
      word += line[++at];
    else if (quote == 0 && (c == '"' || c == '\''))
      quote = c;
    else if (c == quote)
      quote = 0;
    else
      word += c;
  }
  return quote == 0;
}

}  // namespace

Result<void> split_words(std::string_view line, std::vector<std::string_view>& words,
                         std::deque<std::string>& unquoted) {
  words.clear();
  unquoted.clear();
  for (std::size_t at = 0; at < line.size();) {
    if (blank(line[at])) {
      ++at;
      continue;
    }
    if (line[at] == '#') return {};
    const auto start = at;
    while (at < line.size() && !blank(line[at]) && line[at] != '"' && line[at] != '\'' && line[at] != '\\') ++at;
    if (at == line.size() || blank(line[at])) {
      words.push_back(line.substr(start, at - start));
      continue;
    }
    at = start;
    if (!read_quoted(line, at, unquoted.emplace_back()))
      return fail(ErrorKind::usage, std::string(line.substr(start)) + ": the quote is not closed");
    words.push_back(unquoted.back());
  }
  return {};
}

std::string quoted(std::string_view word) {
  if (!word.empty() && word[0] != '#' && word.find_first_of(" \t\r\"'\\") == std::string_view::npos)
    return std::string(word);
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

}  // namespace sonde::guard
