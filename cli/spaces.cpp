// mosaic spaces: the search spaces, or one of them.
#include <cmath>
#include <iostream>

#include "command.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/space.hpp"
#include "numbers.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

void print_network(const spaces::Space& space, const std::string& label,
                   const spaces::Genotype& genotype) {
  const auto graph = space.bind(genotype);
  std::printf("  %-9s %10s parameters, %9s FLOPs, %10s peak activations\n", label.c_str(),
              core::human_count(spaces::count_parameters(graph)).c_str(),
              core::human_count(spaces::count_flops(graph, space.symbols())).c_str(),
              core::human_bytes(spaces::activation_bytes(graph, space.symbols())).c_str());
}

struct SpaceOptions {
  std::string name;
  std::vector<std::string> set;
  std::vector<std::int64_t> input;
  std::int64_t classes = 0, vocabulary = 0, length = 32;
  std::string arch;
};

void describe_arch(const spaces::Space& space, const std::string& text) {
  const auto genotype = space.parse(text);
  std::cout << space.text(genotype) << "\nhash " << space.hash(genotype) << "\n";
  print_network(space, "", genotype);
  const auto graph = space.bind(genotype);
  db::Table table{{"node", "op", "output", "parameters"}, {}};
  for (const auto& node : graph.nodes) {
    double parameters = 0;
    for (const auto& weight : node.weights) parameters += static_cast<double>(weight.count());
    table.rows.push_back({text_cell(node.name), text_cell(node.op),
                          text_cell(spaces::to_string(node.shape)),
                          number_cell(parameters, "%.0f")});
  }
  print_table(table, {});
}

void describe_space(const spaces::Space& space) {
  const auto size = space.size();
  std::cout << space.name() << ": " << spaces::space_types().summary(space.name()) << "\n"
            << spaces::to_string(space.task()) << "; " << (size.exact ? "" : "about ")
            << (size.architectures < 1e6
                    ? core::with_commas(static_cast<long long>(size.architectures))
                    : core::human_count(size.architectures))
            << " architectures\n";
  print_network(space, "smallest", space.smallest());
  print_network(space, "largest", space.largest());
  core::Stream stream(1, "example");
  std::cout << "an architecture: " << space.text(space.random(stream)) << "\n\n";
  if (!space.known_options().empty()) {
    db::Table options{{"key of [space]", "default", "what it may be"}, {}};
    for (const auto& option : space.known_options())
      options.rows.push_back(
          {text_cell(option.key), text_cell(option.standard), text_cell(option.allowed)});
    print_table(options, {});
    std::cout << "\n";
  }
  db::Table table{{"decision", "kind", "options"}, {}};
  for (const auto& gene : space.genes()) {
    std::vector<std::string> shown(
        gene.labels.begin(),
        gene.labels.begin() +
            static_cast<std::ptrdiff_t>(std::min<std::size_t>(8, gene.labels.size())));
    std::string labels = core::join(shown);
    if (gene.labels.size() > shown.size())
      labels += ", ... (" + std::to_string(gene.labels.size()) + " in all)";
    table.rows.push_back({text_cell(gene.name), text_cell(gene.ordered ? "ordered" : "categorical"),
                          text_cell(labels)});
  }
  print_table(table, {});
}

/// The task that the options describe; none: what the space usually takes.
spaces::TaskShape shape_of(const SpaceOptions& options) {
  if (options.vocabulary > 0) {
    const auto usual = spaces::Space::make(options.name, {}, options_of(options.set)).task();
    if (usual.inputs.size() == 2)
      return spaces::translation_task(options.vocabulary, options.length, options.length);
    return options.classes == 0 && usual.output.size() == 2  // a language model
               ? spaces::language_task(options.vocabulary, options.length)
               : spaces::text_task(options.vocabulary, options.classes > 0 ? options.classes : 2,
                                   options.length);
  }
  if (options.input.empty() && options.classes == 0) return {};
  return spaces::image_task(
      options.input.empty() ? std::vector<std::int64_t>{3, 32, 32} : options.input,
      options.classes > 0 ? options.classes : 10);
}

void setup(App& app) {
  auto options = std::make_shared<SpaceOptions>();
  app.add_option("NAME", options->name, "a space to explain; without it they are listed");
  app.add_option("--set", options->set, "an option of the space, key=value; may be repeated");
  app.add_option("--input", options->input, "of images: channels height width (3 32 32)")
      ->expected(3, 3)
      ->check(whole_number(1, 1'000'000));
  app.add_option("--vocabulary", options->vocabulary, "of texts: tokens")
      ->check(whole_number(2, 1'000'000));
  app.add_option("--length", options->length, "of texts: tokens that costs are counted at")
      ->capture_default_str()
      ->check(count());
  app.add_option("--classes", options->classes, "outputs (10 of images, 2 of texts)")
      ->check(count());
  app.add_option("--arch", options->arch, "explain one architecture, layer by layer");
  app.callback([options] {
    if (!options->name.empty()) {
      const auto space =
          spaces::Space::make(options->name, shape_of(*options), options_of(options->set));
      return options->arch.empty() ? describe_space(space) : describe_arch(space, options->arch);
    }
    db::Table table{{"name", "what it is"}, {}};
    for (const auto& name : spaces::space_types().names())
      table.rows.push_back({text_cell(name), text_cell(spaces::space_types().summary(name))});
    print_table(table, {});
  });
}

const core::Registered kEntry{commands(), "spaces", "list the search spaces, or explain one",
                              setup};

}  // namespace
}  // namespace mosaic::cli
