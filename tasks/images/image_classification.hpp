/// What all image classification tasks share: splits, epochs, augmentation, normalisation, loss.
#pragma once

#include <map>
#include <mutex>

#include "classification.hpp"
#include "images/image_data.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::tasks {

/// Random crop out of an image with `padding` black pixels on each side, and a horizontal flip with
/// probability one half.
struct Augmentation {
  std::int64_t padding = 0;
  bool flip = false;
};

/// What was done to byte values: (x / 255 - mean) / standard_deviation, per channel. A deployed
/// network needs the same.
struct Normalisation {
  std::vector<double> mean;
  std::vector<double> standard_deviation;
};

/// Input "image", float32 [batch, channels, height, width], and target "class", int64 [batch].
///
/// Images stay on the device as bytes. A batch is one gather there, followed by (x - mean) / std
/// with mean and standard deviation per channel of the training split; inputs are laid out
/// channels-last.
///
/// Who is in which split is a function of the seed: the training images are shuffled, cut to
/// `limit`, and the first `validation` share is held out. Validation images stay in that shuffled
/// order, so any prefix is a random sample. Crops, flips and the order of an epoch are drawn on the
/// CPU as integers per image, so that every device sees the same batches.
class ImageClassification : public Task {
 public:
  /// Throws core::Error where a split would be left without images.
  ImageClassification(std::string name, const TaskSettings& settings, ImageData data,
                      Augmentation augmentation);

  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return checksum_; }
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(Split split) const override;
  /// Images, classes and images of each class; of the splits together, after `limit`.
  std::string summary() const override;
  nlohmann::json preprocessing() const override;

  void to(const std::string& device) override;
  Batch batch(const Selection& selection) const override;

  /// Cross-entropy.
  at::Tensor losses(const at::Tensor& outputs, const NamedTensors& targets,
                    double label_smoothing) const override;
  /// ||softmax(z) - onehot(y)||.
  at::Tensor output_gradient_norms(const at::Tensor& outputs,
                                   const NamedTensors& targets) const override;
  at::Tensor distillation_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                                 const NamedTensors& targets, double temperature) const override;

 private:
  /// uint8 [count * height * width + 1, channels] (the last row is the black pixel outside of an
  /// image), and int64 [count].
  struct Store {
    at::Tensor pixels;
    at::Tensor labels;
  };
  /// Images of a store, by number; int64 [n].
  struct Part {
    const Store* store = nullptr;
    at::Tensor order;
  };

  const Part& part(Split split) const;
  Batch of_epoch(const Selection& selection) const;
  at::Tensor epoch_plan(std::int64_t epoch, std::int64_t order) const;
  at::Tensor normalised(const at::Tensor& bytes) const;
  Batch whole(const Store& store, const at::Tensor& images) const;
  Batch cropped(const Store& store, const at::Tensor& plan) const;

  std::string name_;
  std::uint64_t seed_;
  bool augment_;
  Augmentation augmentation_;
  std::vector<std::string> class_names_;
  std::vector<std::int64_t> class_sizes_;  ///< images of a class in all splits
  std::string checksum_;
  std::int64_t channels_, height_, width_;
  spaces::TaskShape shape_;
  Normalisation normalisation_;
  std::string preparation_;  ///< how a file becomes an input, in words

  Store training_store_, test_store_;
  Part train_, validation_, test_;
  at::Tensor mean_, inverse_std_;  ///< float32 [channels], of byte values

  /// The plan of the epoch asked for last: a step must not draw a whole epoch again.
  mutable std::mutex plan_mutex_;
  mutable std::map<std::int64_t, std::pair<std::int64_t, at::Tensor>>
      plans_;  ///< by order: epoch, plan
};

/// Throws core::UsageError where `image_size` is set for a task whose images have a size of their
/// own.
void expect_default_image_size(const std::string& task, const TaskSettings& settings);

}  // namespace mosaic::tasks
