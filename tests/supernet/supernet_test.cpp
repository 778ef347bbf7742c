#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/engine/device.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "engine/mixing.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"
#include "mosaic/supernet/training/trainer.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

spaces::Space small_space() {
  return spaces::Space::make("resnet-elastic", spaces::image_task({1, 12, 12}, 10),
                             {{"width", "8"}, {"blocks", "2"}});
}

}  // namespace

TEST_CASE("strided 1 x 1 convolutions of few channels are trained within their memory") {
  // Those of oneDNN write beyond it, on larger images too late to be seen at once: many times.
  spaces::SpaceBuilder b(spaces::image_task({8, 64, 64}, 16), {});
  const auto image = b.input("image", {8, 64, 64});
  b.entry("forward", {image}, {b.conv("narrow", image, {.out = 16, .kernel = 1, .stride = 2})});
  const auto graph = spaces::bind(b.finish(), {});
  for (int round = 0; round < 20; ++round) {
    const at::Tensor x = at::randn({32, 8, 64, 64}).contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor weight = at::randn({16, 8, 1, 1}).requires_grad_();
    const auto y = execute(
        graph, "forward", x, [&](const auto&) { return weight; }, NormMode::batch, nullptr)[0];
    y.sum().backward();
    const at::Tensor seen = x.slice(2, 0, 64, 2).slice(3, 0, 64, 2).sum({0, 2, 3});
    REQUIRE(at::allclose(weight.grad()[3].flatten(), seen, 1e-3, 1e-2));
  }
}

TEST_CASE("mixed weights agree with the formulas of the mixture-of-supernets, written as loops") {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const at::Tensor copies = at::randn({3, 4, 5, 5, 5}, generator);
  const spaces::WeightRef ref{
      "weight",
      "s",
      {4, 5, 5, 5},
      {2, 3, 3, 3},
      {spaces::Crop::leading, spaces::Crop::leading, spaces::Crop::centred, spaces::Crop::centred}};
  const at::Tensor layer = at::softmax(at::randn({3}, generator), 0);
  const at::Tensor neuron = at::softmax(at::randn({4, 3}, generator), 1);
  const at::Tensor all = copies.unsqueeze(0);
  const auto mixed = mixed_weights({{all, 0}, {all, 1}, {all}}, {&ref, &ref, &ref},
                                   {layer.unsqueeze(0), neuron.unsqueeze(0)});
  const at::Tensor by_layer = mixed[0][0], by_neuron = mixed[1][0], plain = mixed[2][0];
  REQUIRE(by_layer.sizes() == at::IntArrayRef({2, 3, 3, 3}));
  for (int o = 0; o < 2; ++o)
    for (int i = 0; i < 3; ++i)
      for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 3; ++c) {
          double sum = 0;
          double rows = 0;
          for (int e = 0; e < 3; ++e) {
            const double entry =
                copies[e][o][i][r + 1][c + 1].item<double>();  // the centre of 5 x 5
            sum += layer[e].item<double>() * entry;
            rows += neuron[o][e].item<double>() * entry;
          }
          REQUIRE(by_layer[o][i][r][c].item<double>() == Approx(sum).margin(1e-6));
          REQUIRE(by_neuron[o][i][r][c].item<double>() == Approx(rows).margin(1e-6));
          REQUIRE(plain[o][i][r][c].item<double>() == copies[0][o][i][r + 1][c + 1].item<double>());
        }
}

TEST_CASE("the initial copies differ, and their even mixture has the intended variance") {
  const auto space = spaces::Space::make("resnet-elastic", spaces::image_task({3, 32, 32}, 10),
                                         {{"width", "64"}, {"blocks", "1"}});
  for (const std::int64_t copies : {2, 4}) {
    const Supernet net(space, {.kind = "layer-wise", .copies = copies, .hidden = 8}, 1);
    for (const auto& [name, tensor] : net.parameters()) {
      if (name != "bank.stage3.0.conv2.weight") continue;
      const double intended = std::sqrt(2.0 / (256 * 9));
      REQUIRE(tensor.mean(0).std().item<double>() == Approx(intended).epsilon(0.02));
      REQUIRE((tensor[0] - tensor[1]).std().item<double>() > 0.3 * intended);
    }
  }
}

TEST_CASE(
    "relative positions and class tokens start with a deviation of 0.02, as AutoFormer's do") {
  const auto space = spaces::Space::make("vit", spaces::image_task({3, 32, 32}, 10),
                                         {{"relative_positions", "14"}, {"class_token", "1"}});
  const Supernet net(space, {}, 3);
  for (const std::string slot :
       {"layer0.attention.key_rows", "layer2.attention.value_columns", "class_token.weight"}) {
    CAPTURE(slot);
    CHECK(net.bank().copies(slot).std().item<double>() == Approx(0.02).epsilon(0.15));
  }
}

TEST_CASE("architectures of one mixture get different weights from the same slot") {
  const auto space = small_space();
  const Supernet net(space, {.kind = "layer-wise", .copies = 2, .hidden = 16}, 3);
  at::NoGradGuard guard;
  const auto a = space.parse("stage2.depth=2,stage2.1.kernel=5");
  const auto b = space.parse("stage2.depth=2,stage2.1.kernel=3");
  const auto graph_a = space.bind(a), graph_b = space.bind(b);
  const auto node = std::find_if(graph_a.nodes.begin(), graph_a.nodes.end(),
                                 [](const auto& one) { return one.name == "stage1.0.conv2"; });
  const auto ref = node->weights.at(0);
  REQUIRE_FALSE(at::equal(net.weights(a, graph_a)(ref), net.weights(b, graph_b)(ref)));
  const Supernet plain(space, {.kind = "plain", .copies = 1}, 3);
  REQUIRE(at::equal(plain.weights(a, graph_a)(ref), plain.weights(b, graph_b)(ref)));
}

TEST_CASE("an input of the wrong shape is refused with the shape the network takes") {
  const auto space = small_space();
  const Supernet net(space, {.kind = "plain", .copies = 1}, 3);
  const auto genotype = space.smallest();
  REQUIRE_THROWS_WITH(
      net.forward(space.bind(genotype), genotype, at::zeros({2, 3, 12, 12}), NormMode::batch,
                  nullptr),
      Catch::Contains("has shape [2, 3, 12, 12], the network takes [batch, 1, 12, 12]"));
}

TEST_CASE("a network that was not calibrated says so") {
  const auto space = small_space();
  const Supernet net(space, {.kind = "plain", .copies = 1}, 3);
  const auto genotype = space.smallest();
  NormStats empty;
  REQUIRE_THROWS_WITH(net.forward(space.bind(genotype), genotype, at::zeros({2, 1, 12, 12}),
                                  NormMode::stored, &empty),
                      Catch::Contains("calibrate the network first"));
}

TEST_CASE("a folder that holds no subnet, or a broken one, is refused with advice") {
  const auto folder = (std::filesystem::temp_directory_path() / "mosaic_subnet_test").string();
  std::filesystem::remove_all(folder);
  REQUIRE_THROWS_WITH(Subnet::load(folder), Catch::Contains("config.json is missing"));
  const auto space = small_space();
  random_subnet(space.bind(space.smallest()), 1).save(folder);
  REQUIRE_NOTHROW(Subnet::load(folder));

  random_subnet(space.bind(space.largest()), 1).save(folder + "2");
  std::filesystem::copy_file(folder + "2/model.safetensors", folder + "/model.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  REQUIRE_THROWS_WITH(Subnet::load(folder), Catch::Contains("belong to different networks"));
  std::ofstream(folder + "/config.json") << "{\"format\": \"something else\"}";
  REQUIRE_THROWS_WITH(Subnet::load(folder), Catch::Contains("no description of a Mosaic subnet"));
  std::filesystem::remove_all(folder);
  std::filesystem::remove_all(folder + "2");
}

TEST_CASE("where too few threads can be started, that is said instead of waited for") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60);  // it must not wait for ever
    const rlimit few{1, 1};
    std::string text = "no limit here";
    if ((getuid() != 0 || setuid(65534) == 0) && setrlimit(RLIMIT_NPROC, &few) == 0) try {
        set_threads(4);
        text = "started";
      } catch (const core::Error& error) {
        text = error.what();
      }
    _exit(write(ends[1], text.data(), text.size()) < 0 ? 1 : 0);
  }
  close(ends[1]);
  char text[1000] = {};
  const auto size = read(ends[0], text, sizeof text - 1);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  REQUIRE(size > 0);
  CHECK_THAT(text,
             Catch::StartsWith("to compute on 4 cores takes 6 more threads, and only 0 can be "
                               "started: Resource temporarily unavailable: raise the limit "
                               "on processes and threads (ulimit -u"));
}
