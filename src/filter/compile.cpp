// SPDX-License-Identifier: Apache-2.0
#include "filter/expression.hpp"
#include "filter/fields.hpp"
#include "filter/filter.hpp"

namespace sonde::filter {
namespace {

Result<void> add_expression(const std::string& expression, CompiledFilter& filter) {
  if (expression.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  filter.has_expression = true;
  auto ethernet = compile_expression(expression, LinkType::ethernet);
  if (!ethernet) return std::unexpected(ethernet.error());
  filter.ethernet = std::move(*ethernet);
  // `ether host` and `arp` have no meaning without a link header: such packets never match.
  if (auto raw_ip = compile_expression(expression, LinkType::raw_ip)) filter.raw_ip = std::move(*raw_ip);
  return {};
}

}  // namespace

Result<CompiledFilter> compile(const FilterOptions& options) {
  CompiledFilter filter;
  auto fields = std::make_shared<sonde_filter>();
  if (auto compiled = compile_fields(options, *fields); !compiled) return std::unexpected(compiled.error());
  filter.fields = std::move(fields);
  if (auto added = add_expression(options.expression, filter); !added) return std::unexpected(added.error());
  return filter;
}

}  // namespace sonde::filter
