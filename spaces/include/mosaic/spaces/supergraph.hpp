/// The typed intermediate representation of a whole supernet, free of torch.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mosaic/spaces/extent.hpp"

namespace mosaic::spaces {

/// A decision of the space. Decisions with one option never become genes.
struct Gene {
  std::string name;
  std::vector<std::string> labels;  ///< text of each option
  std::vector<std::int64_t>
      values;           ///< the integers behind them (option numbers for categorical genes)
  bool ordered = true;  ///< options are sizes; otherwise they are names without order
};

enum class DataType { float32, int64 };

/// How the active part of a weight lies in its slot along one axis.
enum class Crop {
  leading,  ///< the first `extent` entries (channels, features)
  centred,  ///< the middle `extent` entries (spatial kernels)
};

enum class Init {
  fan_in,  ///< normal with variance 2 / fan-in of the *active* weight at its full shape (He et al.
           ///< 2015)
  ones,
  zeros,
  xavier,     ///< normal with variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010)
  embedding,  ///< normal with variance 1 / features: rows of a table [tokens, features]
  small,      ///< normal with deviation 0.02 (tokens and tables of Vision Transformers)
};

/// A named place for weights at its full shape: the largest extent of every axis over all
/// architectures.
struct Slot {
  std::string name;
  std::vector<std::int64_t> shape;
  Init init = Init::fan_in;
  /// Slots of one group are mixed alike by layer-wise mixtures. Empty: the slot is plainly shared
  /// (norms, biases of norms).
  std::string group;
};

/// The active part of a slot that a node reads.
struct WeightUse {
  std::string role;  ///< "weight", "bias": what the op calls it
  int slot = -1;
  std::vector<Extent> extents;  ///< one per axis of the slot
  std::vector<Crop> crops;
};

using Shape = std::vector<Extent>;  ///< of one example; the batch axis is implicit and leads

/// One operation of the supernet. Names are the same in every architecture.
struct Node {
  std::string name;
  std::string op;
  std::vector<int> inputs;                   ///< indices of earlier nodes
  std::map<std::string, Extent> attributes;  ///< integers: kernel, stride, groups ...
  std::map<std::string, double> reals;       ///< epsilon, dropout ...
  std::vector<WeightUse> weights;
  Shape shape;  ///< of the output
  DataType type = DataType::float32;
  Extent condition = 1;    ///< 1 where the node exists
  std::string scope = {};  ///< the outermost scope of the builder that it was made in; empty: none
};

/// A state that lives between calls of entry points (a key-value cache): read as a node, written at
/// the end.
struct StateLink {
  std::string name;
  int read = -1;
  int write = -1;
};

/// A way into the graph: "forward", or "encode" and "decode_step".
struct EntryPoint {
  std::string name;
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<StateLink> states;
};

/// A scalar node added to the loss while training.
struct AuxiliaryLoss {
  std::string name;
  int node = -1;
  double weight = 1;
};

/// The whole space as one graph. Structural ops that bind() resolves:
/// `input`; `select` (attribute "index": which input it is); `zeros` (a dead value: bind prunes
/// what reads it).
struct SuperGraph {
  std::vector<Gene> genes;
  std::vector<Slot> slots;
  std::vector<Node> nodes;  ///< in topological order
  std::vector<EntryPoint> entries;
  std::vector<AuxiliaryLoss> losses;
};

}  // namespace mosaic::spaces
