#include "rank_plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "html.hpp"

namespace mosaic::cli {
namespace {

constexpr double kWidth = 500;
constexpr double kHeight = 360;
constexpr double kLeft = 58;
constexpr double kRight = kWidth - 12;
constexpr double kTop = 12;
constexpr double kBottom = kHeight - 46;

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}
std::string place(double value) { return format("%.1f", value); }

/// Values from lo to hi along pixels from `from` to `to`, and the scale in which ticks are written.
struct Axis {
  double lo, hi, from, to;
  double by = 1;
  std::string words;

  Axis(const std::vector<double>& values, const std::string& unit, double first, double last)
      : from(first), to(last), words(unit == "count" ? "" : unit) {
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    lo = values.empty() ? 0 : *least;
    hi = values.empty() ? 1 : *most;
    const double pad = hi > lo ? 0.04 * (hi - lo) : std::max(1e-3 * std::abs(lo), 1e-6);
    lo = lo >= 0 && lo < pad ? 0 : lo - pad;
    hi += pad;
    if (unit != "count" && !unit.empty()) return;
    const struct {
      double size;
      const char* name;
    } sizes[] = {{1e9, "billions"}, {1e6, "millions"}, {1e4, "thousands"}};
    for (const auto& [size, name] : sizes)
      if (hi >= size) {
        by = size == 1e4 ? 1e3 : size;
        words = name;
        return;
      }
  }

  double at(double value) const { return from + (value - lo) / (hi - lo) * (to - from); }

  /// About `count` round values.
  std::vector<double> ticks(int count) const {
    const double rough = (hi - lo) / count;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double times : {5.0, 2.0, 1.0})
      if (times * power >= 0.9 * rough) step = times * power;
    std::vector<double> list;
    for (double k = std::ceil(lo / step - 1e-9); k * step <= hi + 1e-9 * step; ++k)
      list.push_back(k == 0 ? 0 : k * step);
    return list;
  }

  std::string label(const std::string& name) const {
    return escape_html(words.empty() ? name : name + ", " + words);
  }
};

std::string line(double x1, double y1, double x2, double y2, const char* kind) {
  return "<line class=\"" + std::string(kind) + "\" x1=\"" + place(x1) + "\" y1=\"" + place(y1) +
         "\" x2=\"" + place(x2) + "\" y2=\"" + place(y2) + "\"/>\n";
}

std::string text(double x, double y, const char* anchor, const std::string& words,
                 const std::string& more = "") {
  return "<text x=\"" + place(x) + "\" y=\"" + place(y) + "\" text-anchor=\"" + anchor + "\"" +
         more + ">" + words + "</text>\n";
}

std::string circle(double x, double y, double radius, const std::string& attributes) {
  return "<circle cx=\"" + place(x) + "\" cy=\"" + place(y) + "\" r=\"" + format("%g", radius) +
         "\" " + attributes + "/>\n";
}

std::string axes(const Axis& x, const Axis& y, const RankedScore& score) {
  std::string svg;
  for (const double tick : y.ticks(7)) {
    svg += line(kLeft, y.at(tick), kRight, y.at(tick), "grid");
    svg += text(kLeft - 8, y.at(tick) + 4, "end", format("%.6g", tick / y.by));
  }
  for (const double tick : x.ticks(6)) {
    svg += line(x.at(tick), kTop, x.at(tick), kBottom, "grid");
    svg += text(x.at(tick), kBottom + 17, "middle", format("%.6g", tick / x.by));
  }
  const std::string better = score.higher_is_better ? "" : " (lower is better)";
  svg += text((kLeft + kRight) / 2, kHeight - 8, "middle", x.label(score.name) + better,
              " class=\"axis\"");
  const std::string middle = place((kTop + kBottom) / 2);
  svg += text(13, (kTop + kBottom) / 2, "middle", y.label("truth"),
              " class=\"axis\" transform=\"rotate(-90 13 " + middle + ")\"");
  return svg;
}

/// The part of y = x that lies inside.
std::string diagonal(const Axis& x, const Axis& y) {
  const double lo = std::max(x.lo, y.lo);
  const double hi = std::min(x.hi, y.hi);
  return lo < hi ? line(x.at(lo), y.at(lo), x.at(hi), y.at(hi), "equal") : "";
}

}  // namespace

std::string rank_scatter(const RankResult& result, std::size_t index) {
  const RankedScore& score = result.scores[index];
  std::vector<std::size_t> shown;
  std::vector<double> xs;
  std::vector<double> ys;
  for (std::size_t i = 0; i < result.networks.size(); ++i) {
    if (!std::isfinite(score.mean[i])) continue;
    shown.push_back(i);
    xs.push_back(score.mean[i]);
    ys.push_back(result.networks[i].truth);
  }
  const Axis x(xs, score.unit, kLeft, kRight);
  const Axis y(ys, result.truth_unit, kBottom, kTop);
  std::string svg = "<svg class=\"scatter\" viewBox=\"0 0 500 360\" role=\"img\" aria-label=\"" +
                    escape_html("Truth against " + score.name) + " of " +
                    std::to_string(shown.size()) + " networks\">\n" + axes(x, y, score);
  if (score.same_scale) svg += diagonal(x, y);
  const double radius = shown.size() > 300 ? 2.5 : 3.5;
  std::size_t best = 0;
  std::size_t pick = 0;
  const double sign = score.higher_is_better ? 1 : -1;
  for (std::size_t k = 0; k < shown.size(); ++k) {
    svg += circle(x.at(xs[k]), y.at(ys[k]), radius,
                  "class=\"dot\" data-i=\"" + std::to_string(shown[k]) + "\"");
    if (ys[k] > ys[best]) best = k;
    if (sign * xs[k] > sign * xs[pick]) pick = k;
  }
  if (!shown.empty()) {
    svg += circle(x.at(xs[best]), y.at(ys[best]), radius + 3, "class=\"best\"");
    svg += circle(x.at(xs[pick]), y.at(ys[pick]), radius + 5.5, "class=\"pick\"");
  }
  svg += circle(-20, -20, radius + 2, "class=\"at\"");
  if (const std::size_t left = result.networks.size() - shown.size(); left > 0)
    svg += text(kRight, kTop + 12, "end", std::to_string(left) + " not drawn: score is infinite");
  return svg + "</svg>\n";
}

}  // namespace mosaic::cli
