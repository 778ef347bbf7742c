/// What a task feeds and expects, in names, types and shapes: where tasks and spaces meet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/graph.hpp"

namespace mosaic::spaces {

/// An input of a task, of one example: `{"tokens", {{1, {"length"}}}, DataType::int64, 8000}`.
struct Port {
  std::string name;
  std::vector<Dim> shape;
  DataType type = DataType::float32;
  std::int64_t range = 0;    ///< of integers: they are below it (the size of a vocabulary)
  std::int64_t longest = 0;  ///< the most that a length in its shape may be; 0: not known
  bool operator==(const Port&) const = default;
};

/// Without inputs it stands for "no task": a space then takes what it usually takes.
struct TaskShape {
  std::vector<Port> inputs;
  std::vector<Dim> output;  ///< of one example
  /// Lengths that are usual, of the symbols in those shapes: what costs are counted at.
  Symbols typical;
  /// What a position gives is of the next one: it must not see those after it.
  bool causal = false;
  /// The input that a network writes itself where it is used, token by token: the output at a
  /// position is the next token of it. Empty: none.
  std::string written = {};
  bool operator==(const TaskShape&) const = default;
};

/// "image 3x32x32 -> 10", "tokens length -> length x 8000".
std::string to_string(const TaskShape& task);
/// "3x32x32"; symbols by name.
std::string to_string(const std::vector<Dim>& shape);
/// ", length=32" for each, as a part of a fidelity; empty where there is none.
std::string text_of(const Symbols& symbols);

/// `{"inputs": [{"name", "shape", "type", "range"}], "output": shape, "lengths": {symbol:
/// length}}`.
nlohmann::json to_json(const TaskShape& task);
/// Throws nlohmann::json::exception on anything malformed.
TaskShape task_shape_from_json(const nlohmann::json& json);

/// A space is asked for a task that it cannot serve: Space::make() says which ones can.
class UnfitTask : public core::UsageError {
 public:
  using UsageError::UsageError;
};

/// Image classification: one input "image", and a logit for each class.
TaskShape image_task(const std::vector<std::int64_t>& channels_height_width = {3, 32, 32},
                     std::int64_t classes = 10);

/// What spaces of image classifiers need to know of a task.
struct ImageShape {
  std::int64_t channels = 0, height = 0, width = 0, classes = 0;
  Shape image() const { return {channels, height, width}; }
};
/// Of image_task() where there is no task. Throws UnfitTask for a task of another kind.
ImageShape image_shape(const TaskShape& task);

/// Classification of texts: one input "tokens" [length], numbers below `vocabulary` where 0 is
/// padding, and a logit for each class.
TaskShape text_task(std::int64_t vocabulary = 8000, std::int64_t classes = 2,
                    std::int64_t length = 32);
/// A logit for each token of the vocabulary at every position: of the next token (causal), or of
/// one that was taken out.
TaskShape language_task(std::int64_t vocabulary = 8000, std::int64_t length = 128,
                        bool causal = true);

/// What spaces over tokens need to know of a task.
struct TokenShape {
  Port tokens;
  std::int64_t classes = 0;     ///< logits
  bool every_position = false;  ///< at each position, or of the whole text
};
/// Of text_task() where there is no task. Throws UnfitTask for a task of another kind.
TokenShape token_shape(const TaskShape& task);

/// Translation: inputs "source" [source_length] and "target" [target_length], tokens of one
/// vocabulary where 0 is padding, and a logit for each token that may be the next one of the
/// target.
TaskShape translation_task(std::int64_t vocabulary = 8000, std::int64_t source_length = 30,
                           std::int64_t target_length = 30);

/// What spaces of encoders and decoders need to know of a task.
struct TranslationShape {
  Port source, target;
  std::int64_t vocabulary = 0;
};
/// Of translation_task() where there is no task. Throws UnfitTask for a task of another kind.
TranslationShape translation_shape(const TaskShape& task);

}  // namespace mosaic::spaces
