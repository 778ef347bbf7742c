#include "scoring/measures.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace mosaic::supernet {

Measures::Measures(const tasks::Task& task, const std::vector<std::string>& names) : task_(task) {
  for (auto& type : tasks::all_metrics(task)) {
    const bool asked = names.empty()
                           ? !type.of_written
                           : std::find(names.begin(), names.end(), type.name) != names.end();
    if (!asked) continue;
    if (type.of_written) ++of_written_;
    auto metric = type.make();
    metrics_.push_back({std::move(type), std::move(metric)});
  }
}

template <class Rows>
Numbers Measures::numbers(std::size_t networks, bool of_written, const Rows& rows) const {
  const at::NoGradGuard guard;
  Numbers result;
  std::vector<at::Tensor> flat;
  for (std::size_t network = 0; network < networks; ++network)
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
      if (metrics_[i].type.of_written != of_written) continue;
      const at::Tensor own = rows(network, *metrics_[i].metric);
      result.parts.push_back({network, i, own.size(0), own.size(1)});
      flat.push_back(own.flatten());
    }
  result.all = flat.size() == 1 ? flat[0] : at::cat(flat);
  return result;
}

Numbers Measures::of_outputs(const at::Tensor& outputs, const NamedTensors& targets) const {
  const at::Tensor taken = task_.takes_bfloat16() ? outputs : outputs.to(at::kFloat);
  return numbers(static_cast<std::size_t>(outputs.size(0)), false,
                 [&](std::size_t network, const tasks::Metric& metric) {
                   return metric.measured(taken[static_cast<std::int64_t>(network)], targets);
                 });
}

Numbers Measures::of_written(const std::vector<at::Tensor>& written,
                             const NamedTensors& targets) const {
  return numbers(written.size(), true, [&](std::size_t network, const tasks::Metric& metric) {
    return metric.measured(written[network], targets);
  });
}

std::vector<Score> Measures::scores(std::span<const Numbers> batches, std::size_t networks) const {
  std::vector<std::vector<std::vector<at::Tensor>>> rows(networks);
  for (auto& of_network : rows) of_network.resize(metrics_.size());
  for (const auto& batch : batches) {
    std::int64_t begin = 0;
    for (const auto& part : batch.parts) {
      const std::int64_t count = part.rows * part.columns;
      rows[part.network][part.metric].push_back(
          batch.all.narrow(0, begin, count).view({part.rows, part.columns}));
      begin += count;
    }
  }
  std::vector<Score> result(networks);
  for (std::size_t network = 0; network < networks; ++network)
    for (std::size_t i = 0; i < metrics_.size(); ++i)
      result[network][metrics_[i].type.name] =
          metrics_[i].metric->estimate(at::cat(rows[network][i]));
  return result;
}

void fetch(const std::vector<Numbers*>& all) {
  std::vector<at::Tensor> there;
  for (const auto* numbers : all)
    if (!numbers->all.is_cpu()) there.push_back(numbers->all);
  if (there.empty()) return;
  const at::Tensor here = at::cat(there).cpu();
  std::int64_t begin = 0;
  for (auto* numbers : all) {
    if (numbers->all.is_cpu()) continue;
    const std::int64_t count = numbers->all.numel();
    numbers->all = here.narrow(0, begin, count);
    begin += count;
  }
}

}  // namespace mosaic::supernet
