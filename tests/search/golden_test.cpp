#include "golden.hpp"
#include "common.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

namespace {

/// The first networks in the order evaluated, the front, and a hash of all evaluated networks and
/// the front.
std::string text_of(const db::Reader& database, const db::Job& job) {
  constexpr std::size_t kFirst = 30;
  std::ostringstream text;
  core::Hasher all;
  const auto evaluations = database.evaluations(job.id);
  text << "the first " << kFirst << " of " << evaluations.size() << " networks\n";
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    all.add(evaluations[i].arch);
    if (i < kFirst) text << evaluations[i].number << "  " << evaluations[i].arch << "\n";
  }
  const auto front = database.front(job);
  text << "the front\n";
  for (const auto& network : front) {
    all.add(network.arch);
    text << network.arch;
    for (const auto& [metric, measurement] : network.metrics) {
      all.add(metric).add(core::format_double(measurement.value));
      text << "  " << metric << " " << core::format_double(measurement.value);
    }
    text << "\n";
  }
  text << "hash of all\n" << all.hex() << "\n";
  return text.str();
}

}  // namespace

TEST_CASE("every search finds the networks that it found before") {
  // NAS-Bench-201 with two exact metrics, so that nothing but the algorithm decides.
  for (const auto& name : search::algorithms().names()) {
    INFO(name);
    Fixture f(spaces::Space::make("nasbench201"));
    const std::string spec = name == "nsga2" ? "nsga2(cr=0.9)" : name;
    search::run_search(f.space, f.counts(), {}, {spec, 16, 200, 20}, 1, f.database, f.job);
    check_golden("search/" + name + ".txt", text_of(f.database, f.job));
  }
}
