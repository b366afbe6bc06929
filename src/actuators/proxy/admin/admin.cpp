// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/admin/admin.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <list>
#include <optional>
#include <thread>

#include "actuators/proxy/admin/pages.hpp"

namespace sonde::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using beast::error_code;
using namespace std::chrono_literals;

constexpr auto patience = 10s;  // for a request, and for its answer to be taken
constexpr std::size_t most_connections = 64;
constexpr std::uint32_t longest_header = 8192;
constexpr std::uint64_t longest_body = 4096;  // it is ignored, but must be read over

class Server;

/// One request after the other. Lives as long as something of it waits.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Server& server);
  ~Session();
  void read();
  void close() { stream_.close(); }

 private:
  void handle(error_code error);
  void write(AdminResponse response);

  beast::tcp_stream stream_;
  Server& server_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<AdminResponse> response_;
  std::list<Session*>::iterator place_;  ///< among those that wait for a request
};

class Server : public AdminServer {
 public:
  Server(tcp::socket::protocol_type family, int listener, AdminPages pages)
      : pages_(std::move(pages)), acceptor_(context_, family, listener), retry_(context_) {
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Server() override {
    context_.stop();
    thread_.join();
  }

  [[nodiscard]] const AdminPages& pages() const { return pages_; }
  void session_began() { ++sessions_; }
  void session_ended() { --sessions_; }
  std::list<Session*>::iterator waits(Session& session) { return waiting_.insert(waiting_.end(), &session); }
  void has_request(std::list<Session*>::iterator place) { waiting_.erase(place); }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (!error) {
        serve(std::move(socket));
        return accept();
      }
      retry_.expires_after(100ms);  // no descriptor is left, or the client has gone
      retry_.async_wait([this](error_code cancelled) {
        if (!cancelled) accept();
      });
    });
  }

  // With all places taken the one that has been silent for longest goes: who opens connections and says nothing keeps
  // nobody out.
  void serve(tcp::socket socket) {
    if (sessions_ >= most_connections) {
      if (waiting_.empty()) return;
      waiting_.front()->close();
      waiting_.splice(waiting_.end(), waiting_, waiting_.begin());  // its read has yet to say that it is over
    }
    std::make_shared<Session>(std::move(socket), *this)->read();
  }

  // Sessions that end with the context count themselves out, so these outlive it.
  AdminPages pages_;
  std::size_t sessions_ = 0;
  std::list<Session*> waiting_;  ///< for a request; the longest first
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  std::thread thread_;
};

Session::Session(tcp::socket socket, Server& server) : stream_(std::move(socket)), server_(server) {
  server_.session_began();
}
Session::~Session() { server_.session_ended(); }

void Session::read() {
  parser_.emplace();
  parser_->header_limit(longest_header);
  parser_->body_limit(longest_body);
  stream_.expires_after(patience);
  place_ = server_.waits(*this);
  http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
    self->server_.has_request(self->place_);
    self->handle(error);
  });
}

void Session::handle(error_code error) {
  if (!error) return write(answer(parser_->get(), server_.pages()));
  // What is no request is told so; who has gone or says nothing is left.
  static const auto& protocol_errors = http::make_error_code(http::error::bad_method).category();
  if (error.category() != protocol_errors || error == http::error::end_of_stream ||
      error == http::error::partial_message)
    return;
  write(bad_request());
}

void Session::write(AdminResponse response) {
  response_ = std::move(response);
  stream_.expires_after(patience);
  http::async_write(stream_, *response_, [self = shared_from_this()](error_code error, std::size_t) {
    if (error) return;
    if (self->response_->keep_alive()) return self->read();
    error_code ignored;
    self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  });
}

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::start(Fd listener, AdminPages pages) {
  int family = 0;
  socklen_t size = sizeof(family);
  if (::getsockopt(listener.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) return fail_errno("admin listener");
  try {
    return std::make_unique<Server>(family == AF_INET6 ? tcp::v6() : tcp::v4(), listener.release(), std::move(pages));
  } catch (const boost::system::system_error& error) {
    return fail(ErrorKind::failed, std::string("admin listener: ") + error.what(), {}, error.code().value());
  }
}

}  // namespace sonde::proxy
