#include "metrics.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "mosaic/evaluators/catalogue.hpp"

namespace mosaic::report {
namespace {

/// "energy_per_image" -> "Energy per image"; a unit at the end of the name is left out.
std::string label(const std::string& metric) {
  static const std::map<std::string, std::string> known = {
      {"params", "Parameters"},
      {"flops", "FLOPs"},
      {"activation_bytes", "Activation memory"},
      {kReferenceMetric, "Latency of the reference network"}};
  if (const auto found = known.find(metric); found != known.end()) return found->second;
  std::string text = metric;
  for (const std::string unit : {"_ms", "_bytes"})
    if (text.ends_with(unit)) text.resize(text.size() - unit.size());
  std::replace(text.begin(), text.end(), '_', ' ');
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

nlohmann::json metric_type(const std::string& metric, const db::Job& job,
                           const std::string& measured_unit) {
  nlohmann::json type{{"label", label(metric)},
                      {"unit", measured_unit},
                      {"better", ""},
                      {"timed", metric == kTimedMetric}};
  const auto better = [&](bool maximise) { type["better"] = maximise ? "higher" : "lower"; };
  const auto known = evaluators::known_metrics({});
  if (const auto found = known.find(metric); found != known.end()) {
    const auto& info = found->second.info;
    if (measured_unit.empty()) type["unit"] = info.unit;
    type["timed"] = info.timed;
    if (info.maximise) better(*info.maximise);
  } else if (measured_unit.empty() && metric.ends_with("_ms")) {
    type["unit"] = "ms";
  }
  int rank = 300;
  const std::vector<std::string> usual = {kTimedMetric, "params", "flops"};
  if (const auto place = std::find(usual.begin(), usual.end(), metric); place != usual.end())
    rank = 200 + static_cast<int>(place - usual.begin());
  else if (const auto found = known.find(metric); found != known.end() &&
                                                  found->second.evaluator == "inherited" &&
                                                  found->second.info.maximise.value_or(false))
    rank = 100;
  for (std::size_t i = 0; i < job.objectives.size(); ++i) {
    if (job.objectives[i].metric != metric) continue;
    better(job.objectives[i].maximise);
    rank = static_cast<int>(i);
  }
  type["rank"] = rank;
  return type;
}

}  // namespace mosaic::report
