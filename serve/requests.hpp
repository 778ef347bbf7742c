/// Which requests are answered at all.
#pragma once

#include <optional>
#include <string>

namespace httplib {
struct Request;
}

namespace mosaic::serve {

/// Why a request is refused, and with which status.
struct Refusal {
  int status;
  std::string why;
};

/// What a browser that shows a page of this server never sends: another method than GET and HEAD,
/// the name of another machine as Host, a foreign Origin. `host`: what the server listens on.
std::optional<Refusal> refusal(const httplib::Request& request, const std::string& host);

}  // namespace mosaic::serve
