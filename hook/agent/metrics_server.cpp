#include "hook/agent/metrics_server.h"

#include <utility>

#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

constexpr std::size_t kRequestLimit = 8192;

std::string response(const std::string& status, const std::string& body) {
    return "HTTP/1.1 " + status +
           "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

std::string respond(const std::string& request, const std::function<std::string()>& make_text) {
    if (!request.starts_with("GET ")) {
        return response("405 Method Not Allowed", "expected GET /metrics\n");
    }
    if (!request.starts_with("GET /metrics ")) {
        return response("404 Not Found", "expected GET /metrics\n");
    }
    return response("200 OK", make_text());
}

}  // namespace

Result<std::unique_ptr<RequestServer>> open_metrics_server(EventLoop& loop,
                                                           const std::string& address,
                                                           std::function<std::string()> make_text) {
    auto socket = address.starts_with('/') ? listen_unix(address) : listen_loopback(address);
    if (!socket) {
        return add_context("metrics", socket.error());
    }
    RequestTerms terms;
    terms.name = "metrics";
    terms.end = "\r\n\r\n";
    terms.peers = RequestPeers::kAny;
    terms.request_limit = kRequestLimit;
    return RequestServer::open(loop, std::move(*socket), std::move(terms),
                               [make_text = std::move(make_text)](const std::string& request) {
                                   return respond(request, make_text);
                               });
}

}  // namespace execseal
