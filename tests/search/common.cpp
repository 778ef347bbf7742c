#include "common.hpp"

namespace mosaic::search_test {

namespace {

void build_toy(spaces::SpaceBuilder& b) {
  const auto width = b.choice("width", {4, 8});
  const auto depth = b.choice("depth", {1, 2});
  const auto image = b.input("image", {3, 8, 8});
  auto x = b.conv("stem", image, {.out = width, .kernel = 3});
  for (int i = 0; i < 2; ++i) {
    const std::string name = "layer" + std::to_string(i);
    const auto kernel = b.choice(name + ".kernel", {1, 3});
    x = b.when(depth > spaces::Extent(i), x, [&] {
      return b.relu(name + ".relu", b.conv(name, x, {.out = width, .kernel = kernel}));
    });
  }
  b.entry("forward", {image}, {b.linear("head", b.global_avg_pool("pool", x), {.out = 10})});
}

const core::Registered kToy{spaces::space_types(), "search-toy", "for the tests of the search",
                            spaces::SpaceType{.build = build_toy, .text = {}, .parse = {}}};

}  // namespace

spaces::Space toy_space() { return spaces::Space::make("search-toy"); }

std::string dump(const db::Reader& reader, const db::Job& job) {
  std::ostringstream out;
  const auto number = [](double value) { return core::format_double(value); };
  for (const auto& evaluation : reader.evaluations(job.id))
    out << "evaluation " << evaluation.number << " " << evaluation.arch << " " << evaluation.hash
        << "\n";
  std::vector<std::string> metrics;
  for (const auto& network : reader.networks(job.id)) {
    out << "network " << network.architecture << " " << network.arch << " "
        << (network.evaluation ? std::to_string(*network.evaluation) : "-");
    for (const auto& [metric, measurement] : network.metrics) {
      out << " " << metric << "=" << number(measurement.value);
      metrics.push_back(metric);
    }
    for (const auto& [metric, predicted] : network.predicted)
      out << " " << metric << "~" << number(predicted.mean) << "+-" << number(predicted.deviation)
          << "(" << predicted.predictor << ")";
    out << "\n";
  }
  std::sort(metrics.begin(), metrics.end());
  metrics.erase(std::unique(metrics.begin(), metrics.end()), metrics.end());
  for (const auto& metric : metrics)
    for (const auto& [id, arch, hash, m] : reader.measurements(job.id, metric))
      out << "measurement " << id << " " << arch << " " << m.metric << "=" << number(m.value)
          << m.unit << " " << m.fidelity << " " << (m.ok() ? "ok" : "failed") << " " << m.message
          << "\n";
  for (const auto& generation : reader.generations(job.id)) {
    out << "generation " << generation.number << " " << generation.evaluations << " "
        << number(generation.hypervolume) << " front";
    for (const auto row : generation.front) out << " " << row;
    out << "\n";
  }
  for (const auto& network : reader.front(job)) out << "front " << network.arch << "\n";
  out << "state " << core::hash_hex(reader.state(job.id, "search").value_or("none")) << "\n";
  return out.str();
}

}  // namespace mosaic::search_test
