/// How a space is written: decisions are declared where they are used, layers as they are computed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "mosaic/spaces/supergraph.hpp"
#include "mosaic/spaces/task_shape.hpp"

namespace mosaic::spaces {

/// A tensor of the supernet: the output of a node.
struct Value {
  int node = -1;
};

struct ConvOptions {
  Extent out = 0;     ///< output channels
  Extent kernel = 3;  ///< odd; smaller kernels are the centre of the largest one
  std::int64_t stride = 1;
  Extent groups = 1;  ///< as many as channels: depthwise
  bool bias = false;
  std::string group = {};  ///< group of slots that are shared alike; empty: the enclosing scope, or
                           ///< the node's own name
};

struct LinearOptions {
  Extent out = 0;
  bool bias = true;
  Init init = Init::fan_in;
  std::string group = {};
};

/// An option that a space has.
struct SpaceOption {
  std::string key;
  std::string standard;  ///< its value where the job file says nothing
  std::string allowed;   ///< "1 to 64", or words
};

/// Handed to a space's build(). Every method that makes a node infers its shape at once, for all
/// architectures together; misuse (shapes that do not fit for some architecture, a name used twice)
/// throws std::logic_error that names the node and the genes involved.
class SpaceBuilder {
 public:
  SpaceBuilder(TaskShape task, std::map<std::string, std::string> options);

  // ---- what the job file says -------------------------------------------------------------------
  const TaskShape& task() const { return task_; }
  /// An option of the space ([space] key = value), with default and inclusive range. Throws
  /// UsageError.
  std::int64_t option(const std::string& key, std::int64_t fallback, std::int64_t lo,
                      std::int64_t hi);
  /// And one of these words; the first one where the job file says nothing.
  std::string option(const std::string& key, const std::vector<std::string>& words);
  /// Those that were asked for so far.
  const std::vector<SpaceOption>& known_options() const { return known_options_; }

  // ---- decisions --------------------------------------------------------------------------------
  /// An ordered decision among sizes.
  Extent choice(const std::string& name, const std::vector<std::int64_t>& values);
  /// A decision among names; the result is the number of the option taken.
  Extent categorical(const std::string& name, const std::vector<std::string>& labels);

  // ---- structure --------------------------------------------------------------------------------
  /// Nodes made inside `body` exist only where `condition` holds; the result is body's value there
  /// and `otherwise` elsewhere (shapes must agree in every architecture that can take either).
  Value when(const Extent& condition, Value otherwise, const std::function<Value()>& body);
  /// A categorical decision whose options are pieces of network.
  Value select(const std::string& name,
               const std::vector<std::pair<std::string, std::function<Value()>>>& options);
  /// Prefixes the names (and the default group) of what `body` makes: "stage1.0" + ".conv1".
  Value scope(const std::string& name, const std::function<Value()>& body);

  // ---- nodes ------------------------------------------------------------------------------------
  Value input(const std::string& name, Shape shape, DataType type = DataType::float32);
  Value input(const Port& port);
  Value conv(const std::string& name, Value x, const ConvOptions& options);
  Value linear(const std::string& name, Value x, const LinearOptions& options);
  Value batch_norm(const std::string& name, Value x);
  Value relu(const std::string& name, Value x);
  Value add(const std::string& name, const std::vector<Value>& inputs);
  Value identity(const std::string& name, Value x);
  /// A value that is zero everywhere and that costs nothing: what reads it is pruned.
  Value zeros(const std::string& name, Value like);
  Value avg_pool(const std::string& name, Value x, std::int64_t kernel, std::int64_t stride,
                 std::int64_t padding);
  Value max_pool(const std::string& name, Value x, std::int64_t kernel, std::int64_t stride,
                 std::int64_t padding);
  Value global_avg_pool(const std::string& name, Value x);
  /// Any registered op: the way in for ops that have no method here.
  Value node(const std::string& name, const std::string& op, const std::vector<Value>& inputs,
             std::map<std::string, Extent> attributes = {}, std::vector<WeightUse> weights = {},
             std::map<std::string, double> reals = {}, DataType type = DataType::float32);
  /// A slot to be used by several nodes (tied weights), or by node().
  int slot(const std::string& name, std::vector<std::int64_t> shape, Init init,
           const std::string& group);
  WeightUse weight(const std::string& role, const std::string& slot_name,
                   std::vector<Extent> extents, std::vector<Crop> crops, Init init,
                   const std::string& group);

  const Shape& shape(Value x) const;

  // ---- ways in and out --------------------------------------------------------------------------
  void entry(const std::string& name, const std::vector<Value>& inputs,
             const std::vector<Value>& outputs);
  /// A state kept between calls of an entry point: read here, written by update_state().
  Value state(const std::string& name, Shape shape);
  void update_state(const std::string& entry, Value state, Value next);
  void auxiliary_loss(const std::string& name, Value scalar, double weight);

  /// The finished graph. Throws UsageError for options that nobody asked for, std::logic_error for
  /// a graph without entry point.
  SuperGraph finish();

 private:
  /// Its text in the job file; null where that says nothing.
  const std::string* given(SpaceOption option);
  std::string full_name(const std::string& name) const;
  std::string group_or(const std::string& given, const std::string& node) const;
  Value append(Node node);

  TaskShape task_;
  std::map<std::string, std::string> options_;
  std::vector<SpaceOption> known_options_;
  SuperGraph graph_;
  std::vector<std::string> scopes_;
  Extent condition_ = 1;
  std::map<std::string, int> node_names_;
  std::map<std::string, int> slot_names_;
};

}  // namespace mosaic::spaces
