// The metrics' text for a scraper: GET /metrics over HTTP/1.1, one request a connection, on a unix
// socket (0600) or on loopback.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hook/launch/request_server.h"

namespace execseal {

// `address`: AgentSettings::metrics. The text is made when it is asked for.
Result<std::unique_ptr<RequestServer>> open_metrics_server(EventLoop& loop,
                                                           const std::string& address,
                                                           std::function<std::string()> make_text);

}  // namespace execseal
