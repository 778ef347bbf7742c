#include "mosaic/tasks/task.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "mosaic/core/text.hpp"

namespace mosaic::tasks {

const at::Tensor& tensor(const NamedTensors& tensors, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [own, value] : tensors) {
    if (own == name) return value;
    known.push_back(own);
  }
  throw std::logic_error("there is no tensor '" + name + "'; known: " + core::join(known));
}

std::string to_string(Split split) {
  return split == Split::train ? "train" : split == Split::validation ? "validation" : "test";
}

void TaskSettings::visit(core::Visitor& v) {
  using core::kFirst, core::kNotIdentity;
  v("name", name, core::OneOf(tasks().names()), kNotIdentity);  // the checksum of the data tells
  v("path", path, {}, kNotIdentity);
  v("validation", validation, {0, 0.9}, kFirst);
  v("limit", limit, {0}, kFirst);
  v("augment", augment, kFirst);
  v("image_size", image_size, {1, 4096}, kNotIdentity);  // of the images that the checksum is of
  v("vocabulary", vocabulary, {16, 1'000'000}, kNotIdentity);  // and of the tokens
  v("tokenizer", tokenizer, {}, kNotIdentity);
  v("longest", longest, {8, 65536}, kNotIdentity);
  v("typical_length", typical_length, {0, 65536}, kNotIdentity);  // fidelities name it
  v("source", source, {}, kNotIdentity);
  v("target", target, {}, kNotIdentity);
  v("beam", beam, {1, 64}, kNotIdentity);  // fidelities name both
  v("length_penalty", length_penalty, {0, 10}, kNotIdentity);
}

std::map<std::string, std::string> TaskSettings::meanings() {
  return {
      {"name", "the task"},
      {"path", "folder or file of the data, as named or beside the job file"},
      {"validation", "share of the training examples held out for the search"},
      {"limit", "at most so many training and validation examples (0: all), for a quick try"},
      {"augment", "random crops and flips in training"},
      {"image_size", "image-folder: side to which images are resized, in pixels"},
      {"vocabulary", "text: tokens at most, learned from the training split"},
      {"tokenizer", "text: a SentencePiece model file instead of a vocabulary learned here"},
      {"longest", "text: tokens of an example at most; longer ones are cut"},
      {"typical_length",
       "text: tokens of an example that FLOPs, memory and latency are counted at; 0: as many as "
       "the data have on average"},
      {"source", "translation: ending of the files to translate from, such as en"},
      {"target", "translation: ending of the files to translate to, such as de"},
      {"beam", "translation: hypotheses kept while a network writes"},
      {"length_penalty", "translation: how much longer hypotheses gain; 0: short ones win"}};
}

TaskSettings TaskSettings::read(core::Section section, std::uint64_t seed) {
  TaskSettings settings;
  settings.seed = seed;
  core::read(section, settings);
  if (settings.typical_length > settings.longest)
    section.fail(
        "typical_length",
        "no example is longer than longest = " + std::to_string(settings.longest) + " tokens",
        "lower typical_length, or raise longest");
  return settings;
}

std::string Writing::text() const {
  return ", beam=" + std::to_string(beam) +
         ", length penalty=" + core::format_double(length_penalty);
}

bool TaskType::reads(const std::string& key) const {
  const std::vector<std::string> of_all{"name", "path", "validation", "limit"};
  const auto in = [&](const auto& some) {
    return std::find(some.begin(), some.end(), key) != some.end();
  };
  return keys.empty() || in(keys) || in(of_all);
}

std::vector<MetricType> Task::metrics() const { return tasks().at(name()).metrics; }

nlohmann::json Task::preprocessing() const { return nlohmann::json::object(); }

std::vector<MetricType> all_metrics(const Task& task) {
  auto result = task.metrics();
  const auto [title, unit] = task.loss_name();
  const auto make = [&task] {
    return mean_metric([&task](const auto& outputs,
                               const auto& targets) { return task.losses(outputs, targets, 0); },
                       1, [&task](const auto& targets) { return task.loss_weights(targets); });
  };
  result.push_back({"loss", unit, false, make, title});
  return result;
}

core::Registry<TaskType>& tasks() {
  static core::Registry<TaskType> registry("task");
  return registry;
}

std::unique_ptr<Task> make_task(const TaskSettings& settings) {
  return tasks().at(settings.name).make(settings);
}

}  // namespace mosaic::tasks
