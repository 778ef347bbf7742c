#include "requests.hpp"

#include <arpa/inet.h>
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "mosaic/serve/server.hpp"

namespace mosaic::serve {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// "localhost:8642" -> "localhost", "[::1]:8642" -> "::1"; empty where it is no host.
std::string name_of(const std::string& host) {
  std::string name = lower(host);
  std::string port;
  if (name.starts_with("[")) {
    const auto end = name.find(']');
    if (end == std::string::npos) return {};
    port = name.substr(end + 1);
    name = name.substr(1, end - 1);
  } else if (const auto colon = name.find(':'); colon != std::string::npos) {
    port = name.substr(colon);
    name.resize(colon);
  }
  // Any port: a tunnel (ssh -L) has one of its own.
  const bool sound = port.empty() || (port.size() <= 6 && port[0] == ':' &&
                                      port.find_first_not_of("0123456789", 1) == std::string::npos);
  return sound ? name : std::string();
}

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> bytes;
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

std::string machine() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? lower(name.data()) : std::string();
}

/// A page of elsewhere can point a name of its own at this machine (DNS rebinding), but then its
/// browser sends that name.
bool is_ours(const std::string& given, const std::string& host) {
  const auto name = name_of(given);
  if (is_loopback(name)) return true;
  if (name.empty() || is_loopback(host)) return false;
  return name == lower(host) || is_address(name) || name == machine();
}

}  // namespace

bool is_loopback(const std::string& given) {
  const auto name = lower(given);
  in_addr address{};
  if (::inet_pton(AF_INET, name.c_str(), &address) == 1)
    return (ntohl(address.s_addr) >> 24) == 127;
  return name == "localhost" || name == "::1";
}

std::optional<Refusal> refusal(const httplib::Request& request, const std::string& host) {
  if (request.method != "GET" && request.method != "HEAD")
    return Refusal{405, "only GET and HEAD: nothing can be changed here"};
  if (request.get_header_value_count("Host") != 1 ||
      !is_ours(request.get_header_value("Host"), host))
    return Refusal{403,
                   "this server goes by another name: open the address that mosaic serve prints"};
  const auto origin = request.get_header_value("Origin");
  if (request.has_header("Origin") && origin != "http://" + request.get_header_value("Host"))
    return Refusal{403, "a page of another origin may not ask here"};
  // Browsers say so themselves where a page of elsewhere asks without an Origin (an image, a
  // script).
  const auto site = request.get_header_value("Sec-Fetch-Site");
  if ((site == "cross-site" || site == "same-site") &&
      request.get_header_value("Sec-Fetch-Mode") != "navigate")
    return Refusal{403, "a page of another origin may not ask here"};
  return std::nullopt;
}

}  // namespace mosaic::serve
