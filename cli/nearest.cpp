// `mosaic nearest`: measured networks that differ least from a given one.
#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

#include "command.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/job_space.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/jobs/selection.hpp"
#include "numbers.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

struct Near {
  std::int64_t architecture;
  std::int64_t differing;  ///< decisions
  double steps;            ///< of ordered ones as a share of their range, 1 for each other one
};

/// Distance of two canonical genotypes.
Near distance(const std::vector<spaces::Gene>& genes, const spaces::Genotype& a,
              const spaces::Genotype& b) {
  Near near{0, 0, 0};
  for (std::size_t i = 0; i < genes.size(); ++i) {
    if (a[i] == b[i]) continue;
    ++near.differing;
    const auto options = static_cast<double>(genes[i].labels.size());
    near.steps +=
        genes[i].ordered
            ? std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) / (options - 1)
            : 1;
  }
  return near;
}

std::vector<Near> nearest(const db::Reader& reader, const db::Job& job, const std::string& network,
                          std::size_t count) {
  const auto arch = jobs::arch_of(reader, job, network);
  const auto space = jobs::space_of_job(job);
  const auto wanted = space.parse(arch);
  std::vector<Near> all;
  for (const auto& named : reader.measured_networks(job.id)) {
    core::check_interrupt();
    auto near = distance(space.genes(), wanted, space.parse(named.arch));
    near.architecture = named.architecture;
    all.push_back(near);
  }
  // Of equally near ones the one measured first stands first.
  std::stable_sort(all.begin(), all.end(), [](const Near& a, const Near& b) {
    return std::tie(a.differing, a.steps) < std::tie(b.differing, b.steps);
  });
  if (all.size() > count) all.resize(count);
  return all;
}

db::Table table_of(const std::vector<Near>& near, const std::vector<db::Network>& networks) {
  std::set<std::string> metrics;
  for (const auto& network : networks)
    for (const auto& [metric, value] : network.metrics) metrics.insert(metric);
  db::Table table;
  table.columns = {"differing", "steps"};
  table.columns.insert(table.columns.end(), metrics.begin(), metrics.end());
  table.columns.insert(table.columns.end(), {"hash", "arch"});
  const bool noted = std::any_of(networks.begin(), networks.end(), [](const auto& network) {
    return !jobs::note_of(network).empty();
  });
  if (noted) table.columns.emplace_back("note");
  for (std::size_t i = 0; i < networks.size(); ++i) {
    auto& row = table.rows.emplace_back();
    row.push_back(count_cell(near[i].differing));
    row.push_back(number_cell(near[i].steps));
    for (const auto& metric : metrics) {
      const auto found = networks[i].metrics.find(metric);
      row.push_back(found == networks[i].metrics.end() ? null_cell()
                                                       : number_cell(found->second.value));
    }
    row.push_back(text_cell(networks[i].hash));
    row.push_back(text_cell(networks[i].arch));
    if (noted) row.push_back(text_cell(jobs::note_of(networks[i])));
  }
  return table;
}

void setup(App& app) {
  struct Options {
    DatabaseOptions database;
    OutputOptions output;
    std::string network;
    std::size_t count = 10;
  };
  auto options = std::make_shared<Options>();
  app.add_option("ARCH", options->network, "architecture, or hash of one that the job knows")
      ->required();
  add_database_options(app, options->database);
  add_output_options(app, options->output);
  app.add_option("--count", options->count, "so many networks, nearest first")
      ->capture_default_str()
      ->check(count());
  app.footer(
      "Networks of the job of which something was measured, by the number of decisions that "
      "differ\n"
      "(decisions without effect do not count), then by steps: how far ordered decisions are "
      "apart, as\n"
      "a share of their range, and 1 for each other one. Example: mosaic nearest 0123456789abcdef");
  app.callback([options] {
    const db::Reader reader(options->database.db);
    const auto job = jobs::named_job(reader, options->database.job_name());
    const auto near = nearest(reader, job, options->network, options->count);
    const auto ids = core::mapped(near, &Near::architecture);
    print_table(table_of(near, reader.networks(job.id, ids)), options->output);
  });
}

const core::Registered kNearest{commands(), "nearest",
                                "measured networks that differ least from a given one", setup};

}  // namespace
}  // namespace mosaic::cli
