#include "images/image_classification.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

#include "classification.hpp"
#include "device.hpp"
#include "images/crop.hpp"
#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::tasks {

at::Tensor (*crop_kernel)(const CropCall& call) = nullptr;

namespace {

const std::string kImage = "image";

/// Streams of the k-th order of the data are numbered from k times this.
constexpr std::int64_t kEpochsPerOrder = 1'000'000;

/// Of a data set that comes without a test split.
constexpr double kTestShare = 0.1;

std::vector<std::int64_t> shuffled(std::vector<std::int64_t> images, std::uint64_t seed,
                                   const char* stream) {
  core::Stream(seed, stream).shuffle(images);
  return images;
}

/// Takes the first `count` numbers off `images`.
std::vector<std::int64_t> take(std::vector<std::int64_t>& images, std::int64_t count) {
  const auto end = images.begin() + count;
  std::vector<std::int64_t> taken(images.begin(), end);
  images.erase(images.begin(), end);
  return taken;
}

std::int64_t share(double fraction, std::size_t count) {
  return static_cast<std::int64_t>(std::llround(fraction * static_cast<double>(count)));
}

void expect_same_shape(const std::string& name, const ImageSet& train, const ImageSet& test) {
  if (train.height == test.height && train.width == test.width && train.channels == test.channels)
    return;
  throw core::Error(
      message("{}: training images are {}x{}x{} (channels, height, width), test images {}x{}x{}",
              name, train.channels, train.height, train.width, test.channels, test.height,
              test.width),
      "the files do not belong together: fetch the data set again");
}

/// Mean and standard deviation of x / 255 over the given images, exact up to the last division:
/// sums of integers do not depend on their order. A constant channel is only shifted.
Normalisation normalisation_of(const ImageSet& set, const std::vector<std::int64_t>& images) {
  const auto channels = static_cast<std::size_t>(set.channels);
  const auto bytes = static_cast<std::size_t>(set.bytes_per_image());
  std::vector<std::uint64_t> sums(channels, 0), squares(channels, 0);
  for (const std::int64_t image : images) {
    const std::uint8_t* pixel = set.pixels.data() + static_cast<std::size_t>(image) * bytes;
    for (std::size_t c = 0; c < channels; ++c) {
      std::uint64_t sum = 0, square = 0;
      for (std::size_t i = c; i < bytes; i += channels) {
        const std::uint32_t value = pixel[i];
        sum += value;
        square += value * value;
      }
      sums[c] += sum;
      squares[c] += square;
    }
  }
  Normalisation result;
  const double count =
      static_cast<double>(images.size()) * static_cast<double>(set.pixels_per_image());
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sums[c]) / count;
    const double variance = static_cast<double>(squares[c]) / count - mean * mean;
    result.mean.push_back(mean / 255);
    result.standard_deviation.push_back(variance > 1e-6 ? std::sqrt(variance) / 255 : 1.0);
  }
  return result;
}

at::Tensor tensor_of(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

at::Tensor pixel_rows(const ImageSet& set) {
  at::Tensor rows = at::empty({set.count * set.pixels_per_image() + 1, set.channels}, at::kByte);
  std::copy(set.pixels.begin(), set.pixels.end(), rows.data_ptr<std::uint8_t>());
  rows[-1].zero_();
  return rows;
}

}  // namespace

ImageClassification::ImageClassification(std::string name, const TaskSettings& settings,
                                         ImageData data, Augmentation augmentation)
    : name_(std::move(name)),
      seed_(settings.seed),
      augment_(settings.augment && (augmentation.padding > 0 || augmentation.flip)),
      augmentation_(augmentation),
      class_names_(std::move(data.class_names)),
      checksum_(tasks::checksum(data)),
      channels_(data.train.channels),
      height_(data.train.height),
      width_(data.train.width),
      shape_(spaces::image_task({channels_, height_, width_},
                                static_cast<std::int64_t>(class_names_.size()))) {
  std::vector<std::int64_t> images(static_cast<std::size_t>(data.train.count));
  std::iota(images.begin(), images.end(), 0);
  std::vector<std::int64_t> test;
  if (data.test.count > 0) {
    expect_same_shape(name_, data.train, data.test);
    test.resize(static_cast<std::size_t>(data.test.count));
    std::iota(test.begin(), test.end(), 0);
  } else {
    images = shuffled(std::move(images), seed_, "test split");
    test = take(images, share(kTestShare, images.size()));
    std::sort(images.begin(), images.end());
    if (test.empty())
      throw core::Error(
          message("{}: {} images are too few to take a test split from", name_, data.train.count),
          "add images, or a folder test/");
  }
  images = shuffled(std::move(images), seed_, "validation split");
  if (settings.limit > 0 && static_cast<std::size_t>(settings.limit) < images.size())
    images.resize(static_cast<std::size_t>(settings.limit));
  const std::size_t available = images.size();
  const std::vector<std::int64_t> validation = take(images, share(settings.validation, available));
  if (images.empty() || (validation.empty() && settings.validation > 0))
    throw core::Error(
        message("{}: validation = {} of {} images leaves {} for training and {} for validation",
                name_, core::format_double(settings.validation), available, images.size(),
                validation.size()),
        "raise limit, add images, or change validation (0: none)");

  normalisation_ = normalisation_of(data.train, images);
  preparation_ = data.preprocessing.empty() ? "" : data.preprocessing + "; then ";
  preparation_ += "(pixel / 255 - mean) / deviation as [channels, height, width]";
  std::vector<float> mean, inverse_std;
  for (std::size_t c = 0; c < normalisation_.mean.size(); ++c) {
    mean.push_back(static_cast<float>(255 * normalisation_.mean[c]));
    inverse_std.push_back(static_cast<float>(1 / (255 * normalisation_.standard_deviation[c])));
  }
  mean_ = at::tensor(mean);
  inverse_std_ = at::tensor(inverse_std);

  training_store_ = {pixel_rows(data.train), tensor_of(data.train.labels)};
  if (data.test.count > 0) test_store_ = {pixel_rows(data.test), tensor_of(data.test.labels)};
  train_ = {&training_store_, tensor_of(images)};
  validation_ = {&training_store_, tensor_of(validation)};
  test_ = {data.test.count > 0 ? &test_store_ : &training_store_, tensor_of(test)};

  class_sizes_.resize(class_names_.size());
  const auto count = [&](const std::vector<std::int64_t>& numbers, const ImageSet& set) {
    for (const std::int64_t image : numbers)
      ++class_sizes_.at(static_cast<std::size_t>(set.labels[static_cast<std::size_t>(image)]));
  };
  count(images, data.train);
  count(validation, data.train);
  count(test, data.test.count > 0 ? data.test : data.train);
}

std::string ImageClassification::summary() const {
  constexpr std::size_t kNamed = 12;
  const auto [least, most] = std::minmax_element(class_sizes_.begin(), class_sizes_.end());
  const auto named = [&](auto it) {
    return message(
        "{} {}", core::printable(class_names_[static_cast<std::size_t>(it - class_sizes_.begin())]),
        core::with_commas(*it));
  };
  std::string of_each;
  if (*least == *most) {
    of_each = core::with_commas(*least) + " of each";
  } else if (class_sizes_.size() <= kNamed) {
    std::vector<std::string> texts;
    for (auto it = class_sizes_.begin(); it != class_sizes_.end(); ++it) texts.push_back(named(it));
    of_each = core::join(texts);
  } else {
    of_each = "fewest: " + named(least) + "; most: " + named(most);
  }
  const auto split = [&](Split part) { return core::with_commas(size(part)); };
  return message(
      "{} images of {} classes ({}): {} to train, {} to validate, {} to test",
      core::with_commas(size(Split::train) + size(Split::validation) + size(Split::test)),
      class_sizes_.size(), of_each, split(Split::train), split(Split::validation),
      split(Split::test));
}

const ImageClassification::Part& ImageClassification::part(Split split) const {
  if (split == Split::train) return train_;
  return split == Split::validation ? validation_ : test_;
}

std::int64_t ImageClassification::size(Split split) const { return part(split).order.numel(); }

void ImageClassification::to(const std::string& text) {
  const c10::Device device = parse_device(text);
  try {
    for (at::Tensor* tensor : {&training_store_.pixels, &training_store_.labels,
                               &test_store_.pixels, &test_store_.labels, &train_.order,
                               &validation_.order, &test_.order, &mean_, &inverse_std_})
      if (tensor->defined()) *tensor = tensor->to(device);
  } catch (const c10::OutOfMemoryError&) {
    throw core::Error(
        message("{}: the images ({}) do not fit on device '{}'", name_,
                core::human_bytes(static_cast<double>(
                    training_store_.pixels.nbytes() +
                    (test_store_.pixels.defined() ? test_store_.pixels.nbytes() : 0))),
                text),
        "set a smaller image_size, or free memory on the device");
  }
  const std::lock_guard lock(plan_mutex_);
  plans_.clear();
}

/// int64 [4, images] on the device: number of the image, row and column where its crop begins (0 to
/// twice the padding), flipped or not. Without augmentation only the first row.
at::Tensor ImageClassification::epoch_plan(std::int64_t epoch, std::int64_t order) const {
  const std::lock_guard lock(plan_mutex_);
  auto& [planned, plan] = plans_[order];
  if (plan.defined() && planned == epoch) return plan;
  const c10::InferenceMode ordinary_tensors(false);
  const std::int64_t images = size(Split::train);
  const auto index = static_cast<std::uint64_t>(order * kEpochsPerOrder + epoch);
  const auto positions = core::Stream(seed_, "epoch order", index).permutation(images);
  const at::Tensor images_of =
      train_.order.index_select(0, tensor_of(positions).to(train_.order.device()));
  if (augment_) {
    core::Stream stream(seed_, "augmentation", index);
    const auto starts = static_cast<std::uint64_t>(2 * augmentation_.padding + 1);
    at::Tensor draws = at::empty({3, images}, at::kLong);
    auto* drawn = draws.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < images; ++i) {
      drawn[i] = static_cast<std::int64_t>(stream.below(starts));
      drawn[images + i] = static_cast<std::int64_t>(stream.below(starts));
      drawn[2 * images + i] = augmentation_.flip ? static_cast<std::int64_t>(stream.below(2)) : 0;
    }
    plan = at::cat({images_of.unsqueeze(0), draws.to(images_of.device())});
  } else {
    plan = images_of.unsqueeze(0);
  }
  planned = epoch;
  return plan;
}

/// uint8 [batch, height, width, channels] to float32 [batch, channels, height, width]. Two steps
/// that round for themselves: one fused multiply-add would differ between devices.
at::Tensor ImageClassification::normalised(const at::Tensor& bytes) const {
  return bytes.to(at::kFloat).sub_(mean_).mul_(inverse_std_).permute({0, 3, 1, 2});
}

Batch ImageClassification::whole(const Store& store, const at::Tensor& images) const {
  const std::int64_t count = store.labels.numel();
  const at::Tensor bytes = store.pixels.narrow(0, 0, count * height_ * width_)
                               .view({count, height_ * width_ * channels_})
                               .index_select(0, images)
                               .view({images.numel(), height_, width_, channels_});
  return {{{kImage, normalised(bytes)}}, {{kClass, store.labels.index_select(0, images)}}};
}

/// Crops and flips by one gather over pixels; pixels outside of the image are the last row of the
/// store.
Batch ImageClassification::cropped(const Store& store, const at::Tensor& plan) const {
  const at::Tensor images = plan.select(0, 0);
  const std::int64_t batch = images.numel();
  if (crop_kernel != nullptr)
    if (const at::Tensor result =
            crop_kernel({store.pixels, store.labels.numel(), height_, width_, channels_, plan,
                         augmentation_.padding, mean_, inverse_std_});
        result.defined())
      return {{{kImage, result.permute({0, 3, 1, 2})}},
              {{kClass, store.labels.index_select(0, images)}}};
  const at::TensorOptions integers = images.options();
  const at::Tensor y = at::arange(height_, integers)
                           .add(plan.select(0, 1).unsqueeze(1))
                           .sub_(augmentation_.padding);  // [batch, height]
  const at::Tensor column = at::arange(width_, integers).unsqueeze(0);
  const at::Tensor x =
      at::where(plan.select(0, 3).unsqueeze(1).eq(1), (width_ - 1) - column, column)
          .add(plan.select(0, 2).unsqueeze(1))
          .sub_(augmentation_.padding);  // [batch, width]
  const at::Tensor row_start = images.mul(height_ * width_).unsqueeze(1).add(y.mul(width_));
  const at::Tensor row_inside = y.ge(0).logical_and_(y.lt(height_));
  const at::Tensor column_inside = x.ge(0).logical_and_(x.lt(width_));
  const at::Tensor source =
      row_start.unsqueeze(2)
          .add(x.unsqueeze(1))
          .masked_fill_(
              row_inside.unsqueeze(2).logical_and(column_inside.unsqueeze(1)).logical_not_(),
              store.labels.numel() * height_ * width_);
  const at::Tensor bytes =
      store.pixels.index_select(0, source.flatten()).view({batch, height_, width_, channels_});
  return {{{kImage, normalised(bytes)}}, {{kClass, store.labels.index_select(0, images)}}};
}

Batch ImageClassification::of_epoch(const Selection& selection) const {
  const std::int64_t images = size(Split::train), count = selection.count;
  if (count < 1 || count > images)
    throw core::Error(message("{}: a batch of {} does not fit into a training split of {} images",
                              name_, count, images),
                      "use a smaller batch, or raise [task] limit");
  if (selection.begin < 0 || selection.begin + count > images)
    throw std::out_of_range(message("examples [{}, {}) of epoch {}, which has {}", selection.begin,
                                    selection.begin + count, selection.epoch, images));
  at::Tensor plan = epoch_plan(selection.epoch, selection.order).narrow(1, selection.begin, count);
  if (selection.examples.defined()) {
    const at::Tensor chosen =
        train_.order.index_select(0, selection.examples.to(train_.order.device())).unsqueeze(0);
    plan = augment_ ? at::cat({chosen, plan.narrow(0, 1, plan.size(0) - 1)}) : chosen;
  }
  return augment_ ? cropped(*train_.store, plan) : whole(*train_.store, plan.select(0, 0));
}

Batch ImageClassification::batch(const Selection& selection) const {
  if (selection.epoch >= 0) return of_epoch(selection);
  const Part& wanted = part(selection.split);
  const std::int64_t images = wanted.order.numel();
  if (images == 0)
    throw core::Error(message("{}: the {} split has no images", name_, to_string(selection.split)),
                      "set [task] validation above 0");
  if (selection.begin < 0 || selection.count < 0)
    throw std::out_of_range(message("examples [{}, {} + {}) of a split", selection.begin,
                                    selection.begin, selection.count));
  const std::int64_t begin = std::min(selection.begin, images);
  return whole(*wanted.store,
               wanted.order.narrow(0, begin, std::min(selection.count, images - begin)));
}

at::Tensor ImageClassification::losses(const at::Tensor& outputs, const NamedTensors& targets,
                                       double label_smoothing) const {
  return class_losses(outputs, targets, label_smoothing);
}

at::Tensor ImageClassification::output_gradient_norms(const at::Tensor& outputs,
                                                      const NamedTensors& targets) const {
  return class_gradient_norms(outputs, targets);
}

at::Tensor ImageClassification::distillation_losses(const at::Tensor& outputs,
                                                    const at::Tensor& teacher,
                                                    const NamedTensors& targets,
                                                    double temperature) const {
  return class_distillation_losses(outputs, teacher, targets, temperature);
}

nlohmann::json ImageClassification::preprocessing() const {
  return {{"image",
           {{"steps", preparation_},
            {"mean", normalisation_.mean},
            {"deviation", normalisation_.standard_deviation}}},
          {"output", {{"class_names", class_names_}}}};
}

void expect_default_image_size(const std::string& task, const TaskSettings& settings) {
  if (settings.image_size != TaskSettings{}.image_size)
    throw core::UsageError(
        message("[task] image_size = {}: the images of {} have a size of their own",
                settings.image_size, task),
        "leave image_size out; it belongs to the task image-folder");
}

}  // namespace mosaic::tasks
