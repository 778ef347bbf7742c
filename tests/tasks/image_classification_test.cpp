#include "images/image_classification.hpp"

#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "batches.hpp"
#include "files.hpp"
#include "needs.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

constexpr std::int64_t kHeight = 6, kWidth = 5, kChannels = 3;

/// Images whose first pixel's red tells their number; the label is the number modulo 4.
ImageSet numbered(std::int64_t count) {
  ImageSet set;
  set.count = count;
  set.height = kHeight;
  set.width = kWidth;
  set.channels = kChannels;
  for (std::int64_t i = 0; i < count; ++i) {
    set.labels.push_back(i % 4);
    for (std::int64_t k = 0; k < set.bytes_per_image(); ++k)
      set.pixels.push_back(static_cast<std::uint8_t>(k == 0 ? i : (i * 37 + k * 11 + 1) % 255 + 1));
  }
  return set;
}

ImageData data(std::int64_t train, std::int64_t test) {
  ImageData result;
  result.train = numbered(train);
  if (test > 0) result.test = numbered(test);
  result.class_names = {"a", "b", "c", "d"};
  return result;
}

ImageClassification make(TaskSettings settings, std::int64_t train = 100, std::int64_t test = 20,
                         Augmentation augmentation = {.padding = 2, .flip = true}) {
  return ImageClassification("numbers", settings, data(train, test), augmentation);
}

/// Byte values [batch, height, width, channels] that a batch was made of.
at::Tensor bytes_of(const ImageClassification& task, const Batch& batch) {
  const Normalisation n = normalisation(task);
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor mean = at::tensor(n.mean, options).view({1, kChannels, 1, 1});
  const at::Tensor std = at::tensor(n.standard_deviation, options).view({1, kChannels, 1, 1});
  return (image(batch).to(at::kDouble) * std + mean)
      .mul(255)
      .round()
      .to(at::kLong)
      .permute({0, 2, 3, 1});
}

std::vector<std::int64_t> numbers_of(const ImageClassification& task, const Batch& batch) {
  const at::Tensor red = bytes_of(task, batch).select(3, 0).select(2, 0).select(1, 0).contiguous();
  const auto* values = red.data_ptr<std::int64_t>();
  return {values, values + red.numel()};
}

std::vector<std::int64_t> members(const ImageClassification& task, Split split) {
  return numbers_of(task, stored(task, split, 0, 1000));
}

}  // namespace

TEST_CASE("train and validation split the training images between them") {
  const ImageClassification task = make({.validation = 0.25});
  const auto train = members(task, Split::train), validation = members(task, Split::validation);
  CHECK(train.size() == 75);
  CHECK(validation.size() == 25);
  std::set<std::int64_t> all(train.begin(), train.end());
  all.insert(validation.begin(), validation.end());
  CHECK(all.size() == 100);
  CHECK(members(task, Split::test).size() == 20);
  CHECK(task.size(Split::train) == 75);
  CHECK(task.size(Split::validation) == 25);
}

TEST_CASE("the split is a function of the seed") {
  CHECK(members(make({.seed = 7}), Split::validation) ==
        members(make({.seed = 7}), Split::validation));
  CHECK(members(make({.seed = 7}), Split::validation) !=
        members(make({.seed = 8}), Split::validation));
}

TEST_CASE("a data set without a test split gives a tenth of its images to one") {
  const ImageClassification task = make({.validation = 0.1}, 100, 0);
  const auto test = members(task, Split::test);
  CHECK(test.size() == 10);
  CHECK(task.size(Split::validation) == 9);
  CHECK(task.size(Split::train) == 81);
  std::set<std::int64_t> all(test.begin(), test.end());
  for (const Split split : {Split::train, Split::validation})
    for (const std::int64_t number : members(task, split)) all.insert(number);
  CHECK(all.size() == 100);
  CHECK(members(make({.limit = 20}, 100, 0), Split::test) == test);
}

TEST_CASE("limit cuts training and validation after the shuffle, and leaves the test split whole") {
  const ImageClassification task = make({.validation = 0.2, .limit = 10});
  CHECK(task.size(Split::train) == 8);
  CHECK(task.size(Split::validation) == 2);
  CHECK(task.size(Split::test) == 20);
  const auto train = members(task, Split::train);
  CHECK(*std::max_element(train.begin(), train.end()) > 10);
  CHECK(make({.limit = 1000}).size(Split::train) == 90);
}

TEST_CASE("the checksum names the data, not the settings") {
  const std::string checksum = make({}).checksum();
  CHECK(checksum.size() == 32);
  CHECK(make({.seed = 9, .validation = 0.3, .limit = 20}).checksum() == checksum);
  CHECK(make({}, 100, 21).checksum() != checksum);
  ImageData changed = data(100, 20);
  changed.train.pixels[5] ^= 1;
  CHECK(ImageClassification("numbers", {}, changed, {}).checksum() != checksum);
  changed = data(100, 20);
  changed.test.labels[3] = 0;
  CHECK(ImageClassification("numbers", {}, changed, {}).checksum() != checksum);
}

TEST_CASE("inputs are normalised with mean and deviation of the training split only") {
  const ImageClassification task = make({.validation = 0.25});
  const Batch batch = stored(task, Split::train, 0, 75);
  CHECK(image(batch).scalar_type() == at::kFloat);
  CHECK(image(batch).sizes() == at::IntArrayRef({75, kChannels, kHeight, kWidth}));
  CHECK(image(batch).is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(label(batch).scalar_type() == at::kLong);
  for (std::int64_t c = 0; c < kChannels; ++c) {
    const at::Tensor channel = image(batch).select(1, c);
    CHECK(channel.mean().item<double>() == Approx(0).margin(1e-5));
    CHECK(channel.var(/*unbiased=*/false).item<double>() == Approx(1).margin(1e-5));
  }
  // Independent of the library: every byte of the first image of the test split.
  const ImageSet set = numbered(20);
  const Batch test = stored(task, Split::test, 0, 1);
  const Normalisation n = normalisation(task);
  for (std::int64_t y = 0; y < kHeight; ++y)
    for (std::int64_t x = 0; x < kWidth; ++x)
      for (std::int64_t c = 0; c < kChannels; ++c) {
        const double byte = set.pixels[static_cast<std::size_t>((y * kWidth + x) * kChannels + c)];
        const auto channel = static_cast<std::size_t>(c);
        CHECK(image(test)[0][c][y][x].item<double>() ==
              Approx((byte / 255 - n.mean[channel]) / n.standard_deviation[channel]).margin(1e-5));
      }
}

TEST_CASE("a constant channel is shifted to zero, not divided by zero") {
  ImageData constant = data(20, 5);
  std::fill(constant.train.pixels.begin(), constant.train.pixels.end(), std::uint8_t{7});
  const ImageClassification task("constant", {}, constant, {});
  CHECK(image(stored(task, Split::train, 0, 5)).abs().max().item<double>() < 1e-6);
}

TEST_CASE("labels stay with their images") {
  const ImageClassification task = make({.augment = false});
  for (const Batch& batch :
       {stored(task, Split::train, 3, 9), stored(task, Split::validation, 0, 5),
        stored(task, Split::test, 2, 7), training(task, 2, 1, 16)}) {
    const auto numbers = numbers_of(task, batch);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      CHECK(label(batch)[static_cast<std::int64_t>(i)].item<std::int64_t>() == numbers[i] % 4);
  }
}

TEST_CASE("a range of examples is clipped to its split") {
  const ImageClassification task = make({});
  CHECK(label(stored(task, Split::test, 15, 10)).numel() == 5);
  CHECK(label(stored(task, Split::test, 20, 10)).numel() == 0);
  CHECK(image(stored(task, Split::test, 500, 10)).size(0) == 0);
}

TEST_CASE("an epoch visits every training image once, in an order of its own") {
  const ImageClassification task = make({.augment = false});
  const auto epoch = [&](std::int64_t number) {
    std::vector<std::int64_t> seen;
    for (std::int64_t index = 0; index < 90 / 15; ++index)
      for (const std::int64_t i : numbers_of(task, training(task, number, index, 15)))
        seen.push_back(i);
    return seen;
  };
  const auto first = epoch(0), second = epoch(1);
  CHECK(first != second);
  CHECK(epoch(0) == first);
  const auto train = members(task, Split::train);
  CHECK(std::set<std::int64_t>(first.begin(), first.end()) ==
        std::set<std::int64_t>(train.begin(), train.end()));
  CHECK(std::set<std::int64_t>(first.begin(), first.end()).size() == 90);
}

TEST_CASE("a training batch does not depend on what was asked for before") {
  const ImageClassification one = make({.seed = 3}), other = make({.seed = 3});
  training(one, 5, 2, 10);
  stored(one, Split::test, 0, 5);
  const Batch a = training(one, 1, 4, 10);
  const Batch b = training(other, 1, 4, 10);
  CHECK(at::equal(image(a), image(b)));
  CHECK(at::equal(label(a), label(b)));
  // Batches of another size hold the same augmented images.
  CHECK(at::equal(image(training(other, 1, 2, 20)).narrow(0, 0, 10), image(a)));
}

TEST_CASE("augmentation crops out of a black frame and flips, as computed pixel by pixel") {
  const std::int64_t padding = 2;
  const ImageClassification task =
      make({.validation = 0}, 64, 4, {.padding = padding, .flip = true});
  const ImageSet set = numbered(64);
  const auto numbers =
      numbers_of(make({.validation = 0, .augment = false}, 64),  // same order, unaugmented
                 training(make({.validation = 0, .augment = false}, 64), 3, 0, 64));
  const at::Tensor found = bytes_of(task, training(task, 3, 0, 64)).contiguous();
  const auto* values = found.data_ptr<std::int64_t>();
  std::set<std::int64_t> variants;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::int64_t image = numbers[i];
    std::int64_t matches = 0, variant = -1;
    for (std::int64_t v = 0; v < 2 * (2 * padding + 1) * (2 * padding + 1); ++v) {
      const bool flip = v % 2 == 1;
      const std::int64_t dy = v / 2 / (2 * padding + 1) - padding;
      const std::int64_t dx = v / 2 % (2 * padding + 1) - padding;
      bool equal = true;
      for (std::int64_t y = 0; y < kHeight && equal; ++y)
        for (std::int64_t x = 0; x < kWidth && equal; ++x)
          for (std::int64_t c = 0; c < kChannels && equal; ++c) {
            const std::int64_t sy = y + dy, sx = (flip ? kWidth - 1 - x : x) + dx;
            const bool inside = sy >= 0 && sy < kHeight && sx >= 0 && sx < kWidth;
            const std::int64_t expected =
                inside ? set.pixels[static_cast<std::size_t>(
                             ((image * kHeight + sy) * kWidth + sx) * kChannels + c)]
                       : 0;
            equal = values[((static_cast<std::int64_t>(i) * kHeight + y) * kWidth + x) * kChannels +
                           c] == expected;
          }
      if (equal) {
        ++matches;
        variant = v;
      }
    }
    CHECK(matches >= 1);
    variants.insert(variant);
  }
  CHECK(variants.size() > 20);  // of 50, drawn 64 times
}

TEST_CASE("augment = false leaves the images as they are") {
  const ImageClassification task = make({.validation = 0, .augment = false});
  const auto numbers = numbers_of(task, training(task, 0, 0, 100));
  CHECK(std::set<std::int64_t>(numbers.begin(), numbers.end()).size() == 100);
}

TEST_CASE("splits that would be left without images are refused") {
  CHECK(refusal([] { make({.validation = 0.1}, 3); }) ==
        "numbers: validation = 0.1 of 3 images leaves 3 for training and 0 for validation: raise "
        "limit, add images, or change validation (0: none)");
  CHECK_THAT(refusal([] { make({.validation = 0.5, .limit = 1}); }),
             Contains("of 1 images leaves 0 for training and 1 for validation"));
  CHECK_THAT(refusal([] { make({}, 4, 0); }),
             Contains("4 images are too few to take a test split from"));
  CHECK(refusal([] { stored(make({.validation = 0}), Split::validation, 0, 1); }) ==
        "numbers: the validation split has no images: set [task] validation above 0");
}

TEST_CASE("a batch that cannot be is refused") {
  const ImageClassification task = make({});
  CHECK(refusal([&] { training(task, 0, 0, 91); }) ==
        "numbers: a batch of 91 does not fit into a training split of 90 images: use a smaller "
        "batch, or raise [task] limit");
  CHECK_THROWS_AS(training(task, 0, 9, 10), std::out_of_range);
  CHECK_NOTHROW(training(task, 0, 8, 10));
}

TEST_CASE("an unknown or missing device is refused") {
  ImageClassification task = make({});
  CHECK(refusal([&] { task.to("tpu"); }) == "unknown device 'tpu': use cpu, cuda or cuda:N");
  if (!torch::cuda::is_available())
    CHECK_THAT(
        refusal([&] { task.to("cuda"); }),
        Contains("device 'cuda' asked for, but there is no usable CUDA device: use device cpu"));
  CHECK_NOTHROW(task.to("cpu"));
}

TEST_CASE("the losses of examples are cross entropies with label smoothing") {
  const ImageClassification task = make({});
  const at::Tensor outputs =
      at::tensor({2.0, 0.5, -1.0, 0.0, 0.0, 1.0, 0.0, 3.0}).view({2, 4}).set_requires_grad(true);
  const NamedTensors targets{{"class", at::tensor({0, 1}, at::kLong)}};
  const double smoothing = 0.1;
  double expected[2] = {0, 0};
  const double rows[2][4] = {{2.0, 0.5, -1.0, 0.0}, {0.0, 1.0, 0.0, 3.0}};
  for (int i = 0; i < 2; ++i) {
    double sum = 0;
    for (const double value : rows[i]) sum += std::exp(value);
    for (int k = 0; k < 4; ++k) {
      const double target = (k == i ? 1 - smoothing : 0) + smoothing / 4;
      expected[i] -= target * (rows[i][k] - std::log(sum));
    }
  }
  const at::Tensor losses = task.losses(outputs, targets, smoothing);
  REQUIRE(losses.sizes() == at::IntArrayRef{2});
  for (int i = 0; i < 2; ++i) CHECK(losses[i].item<double>() == Approx(expected[i]).epsilon(1e-5));
  // The norm of each one's gradient is what output_gradient_norms() says.
  const at::Tensor norms = task.output_gradient_norms(outputs.detach(), targets);
  task.losses(outputs, targets, 0).sum().backward();
  CHECK(at::allclose(outputs.grad().norm(2, {1}), norms));
  CHECK(task.losses(outputs.detach().to(at::kBFloat16), targets, 0).scalar_type() == at::kFloat);
}

TEST_CASE(
    "accuracy is the share of outputs whose largest entry is the target, and knows its error") {
  const auto metric = classification_metrics().at(0);
  CHECK(metric.name == "accuracy");
  CHECK(metric.unit == "%");
  CHECK(metric.maximise);
  const at::Tensor outputs =
      at::tensor({1.f, 0.f, 0.f, 0.f, 0.f, 0.f, 9.f, 0.f, 0.f, 1.f, 0.f, 0.f}).view({3, 4});
  const auto accuracy = metric.make();
  CHECK(std::isnan(accuracy->result().value));
  accuracy->add(outputs.narrow(0, 0, 1), {{"class", at::tensor({0}, at::kLong)}});
  accuracy->add(outputs.narrow(0, 1, 2), {{"class", at::tensor({2, 3}, at::kLong)}});
  const Estimate found = accuracy->result();
  CHECK(found.value == Approx(200.0 / 3));
  CHECK(found.error == Approx(100 * std::sqrt(2.0 / 3 * 1 / 3 / 3)));
  CHECK(found.examples == 3);
}

TEST_CASE("batches can be made while gradients and inference mode come and go") {
  const ImageClassification task = make({});
  {
    const c10::InferenceMode guard;
    CHECK(image(training(task, 0, 0, 10)).size(0) == 10);
  }
  const at::Tensor weight = at::ones({1}).set_requires_grad(true);
  const at::Tensor sum = (image(training(task, 0, 1, 10)) * weight).sum();
  CHECK_NOTHROW(sum.backward());
}

TEST_CASE("batches on CUDA equal those on the CPU", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const ImageClassification cpu = make({});
  ImageClassification cuda = make({});
  cuda.to("cuda");
  const auto same = [](const Batch& a, const Batch& b) {
    REQUIRE(image(b).is_cuda());
    REQUIRE(label(b).is_cuda());
    CHECK(at::equal(image(a), image(b).cpu()));
    CHECK(at::equal(label(a), label(b).cpu()));
  };
  for (std::int64_t epoch = 0; epoch < 3; ++epoch)
    same(training(cpu, epoch, 1, 30), training(cuda, epoch, 1, 30));
  for (const Split split : {Split::train, Split::validation, Split::test})
    same(stored(cpu, split, 2, 50), stored(cuda, split, 2, 50));
  const Batch batch = stored(cuda, Split::test, 0, 20);
  CHECK(cuda.losses(at::one_hot(label(batch), 4).to(at::kFloat), batch.targets, 0).is_cuda());
}
