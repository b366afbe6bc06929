// SPDX-License-Identifier: Apache-2.0
// What is answered to a request.
#pragma once
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "actuators/proxy/admin/admin.hpp"

namespace sonde::proxy {

using AdminRequest = boost::beast::http::request<boost::beast::http::string_body>;
using AdminResponse = boost::beast::http::response<boost::beast::http::string_body>;

[[nodiscard]] AdminResponse answer(const AdminRequest& request, const AdminPages& pages);
/// To what is no HTTP.
[[nodiscard]] AdminResponse bad_request();

}  // namespace sonde::proxy
