// The subcommands that list a registry: ops, ways of sharing, samplers, metrics, predictors,
// algorithms.
#include "command.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/predictors/predictor.hpp"
#include "mosaic/search/algorithm.hpp"
#include "mosaic/spaces/ops.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"
#include "mosaic/supernet/training/sampler.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

/// A command that lists a registry, or prints the summary of one entry.
template <class Value>
CommandSetup list_of(core::Registry<Value>& (*things)()) {
  return [things](App& app) {
    struct Options {
      std::string name;
      OutputOptions output;
    };
    auto options = std::make_shared<Options>();
    app.add_option("NAME", options->name, "one of them");
    add_output_options(app, options->output);
    app.callback([options, &registry = things()] {
      db::Table table{{"name", "what it is"}, {}};
      for (const auto& name :
           options->name.empty() ? registry.names() : std::vector<std::string>{options->name})
        table.rows.push_back({text_cell(name), text_cell(registry.summary(name))});
      print_table(table, options->output);
    });
  };
}

const core::Registered kOpsEntry{commands(), "ops", "list the operations networks are made of",
                                 list_of(spaces::ops)};
const core::Registered kSharingEntry{commands(), "sharing", "list the ways weights are shared",
                                     [](App& app) {
                                       app.alias("routers");  // their former name
                                       list_of(supernet::sharing_kinds)(app);
                                     }};
const core::Registered kSamplersEntry{commands(), "samplers",
                                      "list the ways training steps choose architectures",
                                      list_of(supernet::samplers)};
/// Of all tasks; a job over a table has its columns beside them.
void setup_metrics(App& app) {
  auto output = std::make_shared<OutputOptions>();
  add_output_options(app, *output);
  app.callback([output] {
    db::Table table{{"name", "unit", "goal", "evaluator", "what it is"}, {}};
    for (const auto& [name, known] : evaluators::known_metrics({}))
      table.rows.push_back({text_cell(name), text_cell(known.info.unit),
                            text_cell(known.info.maximise.value_or(false) ? "max" : "min"),
                            text_cell(known.evaluator), text_cell(known.info.summary)});
    print_table(table, *output);
  });
}

const core::Registered kMetricsEntry{commands(), "metrics",
                                     "list the metrics an objective can have", setup_metrics};
const core::Registered kPredictorsEntry{commands(), "predictors", "list the learned predictors",
                                        list_of(predictors::predictors)};
const core::Registered kAlgorithmsEntry{commands(), "algorithms", "list the search algorithms",
                                        list_of(search::algorithms)};

}  // namespace
}  // namespace mosaic::cli
