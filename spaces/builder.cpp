#include "mosaic/spaces/builder.hpp"

#include <algorithm>
#include <stdexcept>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/ops.hpp"

namespace mosaic::spaces {

SpaceBuilder::SpaceBuilder(TaskShape task, std::map<std::string, std::string> options)
    : task_(std::move(task)), options_(std::move(options)) {}

const std::string* SpaceBuilder::given(SpaceOption option) {
  const auto found = options_.find(option.key);
  const auto names = core::mapped(known_options_, &SpaceOption::key);
  if (std::find(names.begin(), names.end(), option.key) == names.end())
    known_options_.push_back(std::move(option));
  return found == options_.end() ? nullptr : &found->second;
}

std::int64_t SpaceBuilder::option(const std::string& key, std::int64_t fallback, std::int64_t lo,
                                  std::int64_t hi) {
  const auto range = std::to_string(lo) + " to " + std::to_string(hi);
  const auto* text = given({key, std::to_string(fallback), range});
  if (text == nullptr) return fallback;
  const auto value = core::parse_integer(*text);
  if (!value || *value < lo || *value > hi)
    throw core::UsageError(
        "option '" + key + "' of the space is '" + *text + "'",
        "give an integer from " + range + " (default " + std::to_string(fallback) + ")");
  return *value;
}

std::string SpaceBuilder::option(const std::string& key, const std::vector<std::string>& words) {
  const auto* text = given({key, words.at(0), core::join(words)});
  if (text == nullptr) return words.at(0);
  if (std::find(words.begin(), words.end(), *text) == words.end())
    throw core::UsageError("option '" + key + "' of the space is '" + *text + "'",
                           core::known_names(*text, words));
  return *text;
}

Extent SpaceBuilder::choice(const std::string& name, const std::vector<std::int64_t>& values) {
  if (values.empty()) throw std::logic_error("decision '" + name + "' has no options");
  if (values.size() == 1) return Extent(values[0]);
  Gene gene{full_name(name), {}, values, true};
  for (const auto value : values) gene.labels.push_back(std::to_string(value));
  graph_.genes.push_back(std::move(gene));
  return Extent::table(static_cast<int>(graph_.genes.size()) - 1, values);
}

Extent SpaceBuilder::categorical(const std::string& name, const std::vector<std::string>& labels) {
  if (labels.empty()) throw std::logic_error("decision '" + name + "' has no options");
  if (labels.size() == 1) return Extent(0);
  Gene gene{full_name(name), labels, {}, false};
  for (std::size_t i = 0; i < labels.size(); ++i)
    gene.values.push_back(static_cast<std::int64_t>(i));
  auto values = gene.values;
  graph_.genes.push_back(std::move(gene));
  return Extent::table(static_cast<int>(graph_.genes.size()) - 1, std::move(values));
}

Value SpaceBuilder::when(const Extent& condition, Value otherwise,
                         const std::function<Value()>& body) {
  const Extent outer = condition_;
  condition_ = outer && condition;
  const Value made = body();
  condition_ = outer;
  const auto& name = graph_.nodes[static_cast<std::size_t>(made.node)].name;
  return node(name + "?", "select", {otherwise, made}, {{"index", condition != Extent(0)}});
}

Value SpaceBuilder::select(
    const std::string& name,
    const std::vector<std::pair<std::string, std::function<Value()>>>& options) {
  const Extent index =
      categorical(name, core::mapped(options, [](const auto& option) { return option.first; }));
  const Extent outer = condition_;
  std::vector<Value> values;
  for (std::size_t i = 0; i < options.size(); ++i) {
    condition_ = outer && index == Extent(static_cast<std::int64_t>(i));
    values.push_back(options[i].second());
  }
  condition_ = outer;
  return node(name, "select", values, {{"index", index}});
}

Value SpaceBuilder::scope(const std::string& name, const std::function<Value()>& body) {
  scopes_.push_back(name);
  const Value result = body();
  scopes_.pop_back();
  return result;
}

Value SpaceBuilder::input(const std::string& name, Shape shape, DataType type) {
  Node made;
  made.name = full_name(name);
  made.op = "input";
  made.shape = std::move(shape);
  made.type = type;
  made.condition = condition_;
  return append(std::move(made));
}

Value SpaceBuilder::input(const Port& port) {
  Shape shape;
  for (const auto& dim : port.shape) {
    Extent extent = dim.factor;
    for (const auto& symbol : dim.symbols) extent = extent * Extent::symbol(symbol);
    shape.push_back(std::move(extent));
  }
  const Value value = input(port.name, std::move(shape), port.type);
  if (port.range > 0)
    graph_.nodes[static_cast<std::size_t>(value.node)].attributes["range"] = port.range;
  return value;
}

Value SpaceBuilder::conv(const std::string& name, Value x, const ConvOptions& options) {
  const Shape in = shape(x);
  if (in.size() != 3)
    throw std::logic_error("convolution '" + full_name(name) + "' needs [channels, height, width]");
  const std::string group = group_or(options.group, name);
  Extent in_group = in[0] / options.groups;
  if (in_group.min() == in_group.max()) in_group = in_group.min();  // depthwise, at every width
  std::vector<WeightUse> weights{
      weight("weight", name + ".weight", {options.out, in_group, options.kernel, options.kernel},
             {Crop::leading, Crop::leading, Crop::centred, Crop::centred}, Init::fan_in, group)};
  if (options.bias)
    weights.push_back(
        weight("bias", name + ".bias", {options.out}, {Crop::leading}, Init::zeros, group));
  std::map<std::string, Extent> attributes{
      {"out", options.out}, {"kernel", options.kernel}, {"stride", options.stride}};
  if (!identical(options.groups, 1)) attributes["groups"] = options.groups;
  return node(name, "conv2d", {x}, std::move(attributes), std::move(weights));
}

Value SpaceBuilder::linear(const std::string& name, Value x, const LinearOptions& options) {
  const Extent in = shape(x).back();
  const std::string group = group_or(options.group, name);
  std::vector<WeightUse> weights{weight("weight", name + ".weight", {options.out, in},
                                        {Crop::leading, Crop::leading}, options.init, group)};
  if (options.bias)
    weights.push_back(
        weight("bias", name + ".bias", {options.out}, {Crop::leading}, Init::zeros, group));
  return node(name, "linear", {x}, {{"out", options.out}}, std::move(weights));
}

Value SpaceBuilder::batch_norm(const std::string& name, Value x) {
  const Extent channels = shape(x)[0];
  return node(name, "batch_norm", {x}, {},
              {weight("weight", name + ".weight", {channels}, {Crop::leading}, Init::ones, ""),
               weight("bias", name + ".bias", {channels}, {Crop::leading}, Init::zeros, "")},
              {{"epsilon", 1e-5}});
}

Value SpaceBuilder::relu(const std::string& name, Value x) { return node(name, "relu", {x}); }
Value SpaceBuilder::add(const std::string& name, const std::vector<Value>& inputs) {
  return node(name, "add", inputs);
}
Value SpaceBuilder::identity(const std::string& name, Value x) {
  return node(name, "identity", {x});
}
Value SpaceBuilder::zeros(const std::string& name, Value like) {
  return node(name, "zeros", {like});
}

Value SpaceBuilder::avg_pool(const std::string& name, Value x, std::int64_t kernel,
                             std::int64_t stride, std::int64_t padding) {
  return node(name, "avg_pool", {x},
              {{"kernel", kernel}, {"stride", stride}, {"padding", padding}});
}
Value SpaceBuilder::max_pool(const std::string& name, Value x, std::int64_t kernel,
                             std::int64_t stride, std::int64_t padding) {
  return node(name, "max_pool", {x},
              {{"kernel", kernel}, {"stride", stride}, {"padding", padding}});
}
Value SpaceBuilder::global_avg_pool(const std::string& name, Value x) {
  return node(name, "global_avg_pool", {x});
}

Value SpaceBuilder::node(const std::string& name, const std::string& op,
                         const std::vector<Value>& inputs, std::map<std::string, Extent> attributes,
                         std::vector<WeightUse> weights, std::map<std::string, double> reals,
                         DataType type) {
  Node made;
  made.name = full_name(name);
  made.op = op;
  std::vector<Shape> shapes;
  for (const Value input : inputs) {
    made.inputs.push_back(input.node);
    shapes.push_back(shape(input));
  }
  made.attributes = std::move(attributes);
  made.weights = std::move(weights);
  made.reals = std::move(reals);
  made.type = type;
  made.condition = condition_;
  try {
    made.shape = ops().at(op).shape(made, shapes);
  } catch (const std::logic_error& error) {
    throw std::logic_error("node '" + made.name + "' (" + op + "): " + error.what());
  }
  return append(std::move(made));
}

int SpaceBuilder::slot(const std::string& name, std::vector<std::int64_t> shape, Init init,
                       const std::string& group) {
  const auto [found, is_new] = slot_names_.emplace(name, static_cast<int>(graph_.slots.size()));
  if (is_new) {
    graph_.slots.push_back({name, std::move(shape), init, group});
    return found->second;
  }
  Slot& tied = graph_.slots[static_cast<std::size_t>(found->second)];
  if (tied.shape.size() != shape.size())
    throw std::logic_error("slot '" + name + "' is used with " + std::to_string(shape.size()) +
                           " and with " + std::to_string(tied.shape.size()) + " axes");
  for (std::size_t i = 0; i < shape.size(); ++i) tied.shape[i] = std::max(tied.shape[i], shape[i]);
  return found->second;
}

WeightUse SpaceBuilder::weight(const std::string& role, const std::string& slot_name,
                               std::vector<Extent> extents, std::vector<Crop> crops, Init init,
                               const std::string& group) {
  std::vector<std::int64_t> full;
  for (const auto& extent : extents) {
    if (!extent.symbols().empty())
      throw std::logic_error("slot '" + slot_name +
                             "' has an extent with symbols: weights have fixed sizes");
    if (extent.min() < 1) throw std::logic_error("slot '" + slot_name + "' has an extent below 1");
    full.push_back(extent.max());
  }
  return {role, slot(full_name(slot_name), std::move(full), init, group), std::move(extents),
          std::move(crops)};
}

const Shape& SpaceBuilder::shape(Value x) const {
  if (x.node < 0 || static_cast<std::size_t>(x.node) >= graph_.nodes.size())
    throw std::logic_error("a value is used that no node made");
  return graph_.nodes[static_cast<std::size_t>(x.node)].shape;
}

void SpaceBuilder::entry(const std::string& name, const std::vector<Value>& inputs,
                         const std::vector<Value>& outputs) {
  EntryPoint made{name, {}, {}, {}};
  for (const Value value : inputs) made.inputs.push_back(value.node);
  for (const Value value : outputs) made.outputs.push_back(value.node);
  graph_.entries.push_back(std::move(made));
}

Value SpaceBuilder::state(const std::string& name, Shape shape) {
  return input(name, std::move(shape));
}

void SpaceBuilder::update_state(const std::string& entry, Value state, Value next) {
  for (auto& candidate : graph_.entries)
    if (candidate.name == entry) {
      const auto& name = graph_.nodes[static_cast<std::size_t>(state.node)].name;
      candidate.states.push_back({name, state.node, next.node});
      return;
    }
  throw std::logic_error("state of entry point '" + entry + "', which was not declared");
}

void SpaceBuilder::auxiliary_loss(const std::string& name, Value scalar, double weight) {
  graph_.losses.push_back({name, scalar.node, weight});
}

SuperGraph SpaceBuilder::finish() {
  const auto names = core::mapped(known_options_, &SpaceOption::key);
  for (const auto& [key, value] : options_)
    if (std::find(names.begin(), names.end(), key) == names.end())
      throw core::UsageError(
          "unknown option '" + key + "' of the space",
          names.empty() ? "this space has no options" : core::known_names(key, names));
  if (graph_.entries.empty())
    throw std::logic_error("the space declares no entry point: call entry(...)");
  return std::move(graph_);
}

std::string SpaceBuilder::full_name(const std::string& name) const {
  std::string result;
  for (const auto& scope : scopes_) result += scope + ".";
  return result + name;
}

std::string SpaceBuilder::group_or(const std::string& given, const std::string& node) const {
  if (!given.empty()) return given;
  return scopes_.empty() ? node : core::join(scopes_, ".");
}

Value SpaceBuilder::append(Node node) {
  if (!node_names_.emplace(node.name, static_cast<int>(graph_.nodes.size())).second)
    throw std::logic_error("two nodes are named '" + node.name + "'");
  if (!scopes_.empty()) node.scope = scopes_.front();
  graph_.nodes.push_back(std::move(node));
  return {static_cast<int>(graph_.nodes.size()) - 1};
}

}  // namespace mosaic::spaces
