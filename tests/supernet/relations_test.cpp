// What the last self-attention of a teacher relates, and networks that learn it.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "mosaic/core/config.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "needs.hpp"
#include "side_by_side.hpp"
#include "small_task.hpp"
#include "stripes.hpp"
#include "training/gradient.hpp"
#include "training/relations.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using Catch::Contains;
using mosaic::supernet::test::require_exact_resume;
using mosaic::supernet::test::Two;

namespace {

constexpr double kRelations = 0.3, kLogits = 0.2;

at::Tensor draw(at::IntArrayRef sizes, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(sizes, generator, at::kDouble);
}

Outputs::Attention attention(std::int64_t networks, std::int64_t batch, std::int64_t length,
                             std::int64_t heads, std::int64_t kv_heads, std::int64_t size,
                             std::uint64_t seed) {
  Outputs::Attention made;
  made.queries = draw({networks, batch, length, heads * size}, seed);
  made.keys = draw({networks, batch, length, kv_heads * size}, seed + 1);
  made.values = draw({networks, batch, length, kv_heads * size}, seed + 2);
  made.heads = heads;
  made.kv_heads = kv_heads;
  for (int i = 0; i < networks; ++i) made.networks.push_back(i);
  return made;
}

/// How far A A^T of one example, [length, features], is from the teacher's: the definition, as
/// loops. `sees`: may position i see j?
double naive(const at::Tensor& student, const at::Tensor& teacher, std::int64_t heads,
             const std::function<bool(std::int64_t, std::int64_t)>& sees, bool divergence) {
  const std::int64_t length = student.size(0);
  const auto product = [&](const at::Tensor& x, std::int64_t head, std::int64_t i, std::int64_t j) {
    const std::int64_t size = x.size(1) / heads;
    double sum = 0;
    for (std::int64_t d = head * size; d < (head + 1) * size; ++d)
      sum += x[i][d].item<double>() * x[j][d].item<double>();
    return sum / std::sqrt(static_cast<double>(size));
  };
  double result = 0;
  for (std::int64_t head = 0; head < heads; ++head) {
    double squares = 0, divergences = 0;
    int pairs = 0, positions = 0;
    for (std::int64_t i = 0; i < length; ++i) {
      std::vector<double> p, q;
      double all_p = 0, all_q = 0;
      for (std::int64_t j = 0; j < length; ++j) {
        if (!sees(i, j)) continue;
        const double t = product(teacher, head, i, j), s = product(student, head, i, j);
        squares += (t - s) * (t - s);
        ++pairs;
        all_p += p.emplace_back(std::exp(t));
        all_q += q.emplace_back(std::exp(s));
      }
      for (std::size_t j = 0; j < p.size(); ++j)
        divergences += p[j] / all_p * std::log(p[j] / all_p / (q[j] / all_q));
      if (!p.empty()) ++positions;
    }
    result += divergence ? divergences / positions : squares / pairs;
  }
  return result / static_cast<double>(heads);
}

spaces::Space images(std::map<std::string, std::string> options = {{"layers", "5"}}) {
  return spaces::Space::make("vit", spaces::image_task({1, 12, 12}, 4), std::move(options));
}

TrainSettings relating() {
  TrainSettings settings;
  settings.epochs = 1;
  settings.batch_size = 32;
  settings.learning_rate = 0.01;
  settings.sampler = "sandwich(random=1)";
  settings.distill = kLogits;
  settings.distill_relations = kRelations;
  settings.precision = "float32";
  return settings;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm().clamp_min(1e-3)).item<double>();
}

/// What a program of these networks gives, of weights drawn for each.
Outputs outputs_of(const std::vector<const Subnet*>& networks, const NamedTensors& inputs) {
  std::vector<const spaces::Graph*> graphs;
  for (const auto* network : networks) graphs.push_back(&network->graph());
  const auto program = Program::compile(graphs, "forward", true, true);
  std::vector<at::Tensor> weights;
  for (const auto& weight : program.weights()) {
    std::vector<at::Tensor> rows;
    for (const int network : weight.networks)
      rows.push_back(networks[static_cast<std::size_t>(network)]->weight(weight.ref));
    weights.push_back(at::stack(rows));
  }
  NamedTensors repeated;
  for (const auto& [name, tensor] : inputs)
    repeated.emplace_back(name, at::stack(std::vector<at::Tensor>(networks.size(), tensor)));
  return run(program, repeated, weights, {});
}

/// Tokens, then padding.
at::Tensor sentences(std::vector<std::int64_t> lengths, std::int64_t longest, std::uint64_t seed) {
  core::Stream stream(seed, "tokens");
  const at::Tensor result =
      at::zeros({static_cast<std::int64_t>(lengths.size()), longest}, at::kLong);
  for (std::size_t row = 0; row < lengths.size(); ++row)
    for (std::int64_t i = 0; i < lengths[row]; ++i)
      result[static_cast<std::int64_t>(row)][i] = static_cast<std::int64_t>(4 + stream.below(30));
  return result;
}

}  // namespace

TEST_CASE("relations are compared as their definition says: masks, causal, groups of queries") {
  for (const bool divergence : {false, true})
    for (const bool causal : {false, true})
      for (const bool masked : {false, true}) {
        CAPTURE(divergence, causal, masked);
        auto student = attention(2, 2, 5, 6, 3, 2, 1);        // features 12 and 6
        const auto teacher = attention(3, 2, 5, 4, 2, 6, 9);  // features 24 and 12
        student.networks = {0, 2};
        student.causal = causal;
        if (masked)
          student.mask =
              at::tensor({1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, at::kDouble)
                  .view({2, 2, 5});
        // Automatically as many as the teacher's heads: 4 of queries, 2 of keys and values.
        for (const std::int64_t wanted : {0, 3}) {
          const at::Tensor found = relation_losses(student, teacher, {wanted, divergence});
          REQUIRE(found.sizes() == at::IntArrayRef({2, 2}));
          for (std::int64_t row = 0; row < 2; ++row)
            for (std::int64_t example = 0; example < 2; ++example) {
              const auto counts = [&](std::int64_t i) {
                return !masked || student.mask[row][example][i].item<double>() != 0;
              };
              const auto sees = [&](std::int64_t i, std::int64_t j) {
                return counts(i) && counts(j) && (!causal || j <= i);
              };
              double expected = 0;
              if (counts(0))  // one example is nothing but padding
                for (const auto& [part, heads] : {std::pair(&Outputs::Attention::queries, 4),
                                                  std::pair(&Outputs::Attention::keys, 2),
                                                  std::pair(&Outputs::Attention::values, 2)})
                  expected += naive(
                      (student.*part)[row][example],
                      (teacher.*part)[student.networks[static_cast<std::size_t>(row)]][example],
                      wanted > 0 ? wanted : heads, sees, divergence);
              CHECK(found[row][example].item<double>() == Approx(expected).margin(1e-9));
            }
        }
      }
}

TEST_CASE("gradients of relations agree with finite differences") {
  for (const bool divergence : {false, true}) {
    auto student = attention(1, 2, 4, 2, 1, 4, 1);
    const auto teacher = attention(1, 2, 4, 4, 2, 4, 9);
    student.mask = at::tensor({1, 1, 1, 1, 1, 1, 0, 0}).view({1, 2, 4});
    for (const auto part : kRelated) {
      const auto loss = [&] { return relation_losses(student, teacher, {0, divergence}).sum(); };
      at::Tensor& x = student.*part;
      const at::Tensor leaf = x.clone().requires_grad_();
      const at::Tensor given = x;
      x = leaf;
      const at::Tensor gradient = torch::autograd::grad({loss()}, {leaf})[0];
      REQUIRE(gradient.isfinite().all().item<bool>());
      CHECK(gradient[0][1].slice(0, 2).abs().max().item<double>() == 0);  // padding
      for (std::int64_t i = 0; i < given.numel(); i += 3) {
        const auto moved = [&](double step) {
          x = given.clone();
          x.view(-1)[i] += step;
          return loss().item<double>();
        };
        CHECK(gradient.flatten()[i].item<double>() ==
              Approx((moved(1e-5) - moved(-1e-5)) / 2e-5).epsilon(1e-5).margin(1e-8));
      }
      x = given;
    }
  }
}

TEST_CASE("relation heads are the teacher's, as many as divide both, or those that are asked for") {
  CHECK(relation_heads(128, 256, 4, 0) == 4);
  CHECK(relation_heads(192, 256, 4, 0) == 4);
  CHECK(relation_heads(128, 192, 3, 0) == 2);
  CHECK(relation_heads(25, 49, 4, 0) == 1);
  CHECK(relation_heads(128, 192, 3, 16) == 16);
  CHECK_THROWS_WITH(relation_heads(128, 192, 3, 48),
                    Contains("relation_heads = 48 must divide the 128 features") &&
                        Contains("use a divisor of 64, or remove the key"));
}

TEST_CASE("networks give what their last self-attention reads, each of its own depth") {
  const auto space = images();
  const auto deep = fresh_subnet(space, space.largest(), 1),
             other = fresh_subnet(space, space.largest(), 2),
             shallow = fresh_subnet(space, space.smallest(), 3);
  const NamedTensors inputs{{"image", draw({3, 1, 12, 12}, 5).to(at::kFloat)}};
  const std::vector<const Subnet*> networks{&deep, &shallow, &other};
  const auto together = outputs_of(networks, inputs);
  REQUIRE(together.attentions.size() == 2);
  std::size_t seen = 0;
  for (const auto& attention : together.attentions) {
    CHECK_FALSE(attention.causal);
    CHECK_FALSE(attention.mask.defined());
    CHECK(attention.queries.size(0) == static_cast<std::int64_t>(attention.networks.size()));
    for (std::size_t row = 0; row < attention.networks.size(); ++row, ++seen) {
      const auto& network = *networks[static_cast<std::size_t>(attention.networks[row])];
      const auto alone = network.with_attention(inputs);
      CHECK(at::allclose(alone.values[0][0], network.forward(inputs)));
      const auto& expected = alone.attentions.at(0);
      const auto place = static_cast<std::int64_t>(row);
      CHECK(at::allclose(attention.queries[place], expected.queries[0], 1e-4, 1e-5));
      CHECK(at::allclose(attention.keys[place], expected.keys[0], 1e-4, 1e-5));
      CHECK(at::allclose(attention.values[place], expected.values[0], 1e-4, 1e-5));
      // The projections of the last layer that there is.
      const auto& nodes = network.graph().nodes;
      const auto last = std::find_if(nodes.rbegin(), nodes.rend(),
                                     [](const auto& node) { return node.op == "attention"; });
      CHECK(expected.queries.size(-1) ==
            nodes[static_cast<std::size_t>(last->inputs[0])].shape.back().value());
      CHECK(expected.heads == last->attribute("heads"));
    }
  }
  CHECK(seen == 3);
  const spaces::Graph* const one[] = {&deep.graph()};
  CHECK(Program::compile(one, "forward", true).attentions().empty());
  const auto convolutions = spaces::Space::make(
      "resnet-pooling", spaces::image_task({1, 12, 12}, 4), {{"layers", "5"}, {"poolings", "2"}});
  CHECK_THROWS_WITH(fresh_subnet(convolutions, convolutions.smallest(), 1).with_attention(inputs),
                    Contains("without self-attention") && Contains("remove distill_relations"));
}

TEST_CASE("padding changes no relation, and does not count") {
  const std::vector<std::int64_t> lengths{6, 3, 4};
  const auto check = [&](const spaces::Space& space, const std::string& name,
                         const std::function<NamedTensors(std::int64_t)>& inputs, bool causal) {
    const auto student = fresh_subnet(space, space.smallest(), 1),
               teacher = fresh_subnet(space, space.largest(), 2);
    for (const bool divergence : {false, true}) {
      CAPTURE(name, divergence);
      const auto losses = [&](std::int64_t longest) {
        const auto own = outputs_of({&student}, inputs(longest));
        CHECK(own.attentions.at(0).causal == causal);
        CHECK(own.attentions[0].queries.size(2) == longest);
        return relation_losses(own.attentions[0],
                               teacher.with_attention(inputs(longest)).attentions.at(0),
                               {0, divergence});
      };
      const at::Tensor expected = losses(6);
      CHECK(expected.min().item<double>() > 1e-4);
      CHECK(at::allclose(losses(9), expected, 1e-3, 1e-6));
    }
  };
  const auto tokens = [&](std::int64_t longest) {
    return NamedTensors{{"tokens", sentences(lengths, longest, 1)}};
  };
  check(spaces::Space::make("bert", spaces::text_task(40), {{"layers", "3"}}), "encoder", tokens,
        false);
  check(spaces::Space::make("gpt", spaces::language_task(40), {{"layers", "3"}}), "decoder", tokens,
        true);
  // Of encoder and decoder it is the decoder's.
  check(
      spaces::Space::make("hat-translation", spaces::translation_task(40),
                          {{"encoder_layers", "1"}, {"decoder_layers", "2"}}),
      "translation",
      [&](std::int64_t longest) {
        return NamedTensors{{"source", sentences({5, 7, 2}, 7, 2)},
                            {"target", sentences(lengths, longest, 3)}};
      },
      true);
}

TEST_CASE("the networks of a step learn the relations of the largest") {
  const Stripes task;
  const auto space = images();
  Two nets(space);
  auto settings = relating();
  settings.relation_loss = GENERATE(as<std::string>{}, "mse", "kl");
  const auto trainee = supernet_trainee(nets.members, settings, 7, {0, 1});
  const auto architectures = trainee->draw(0);
  const auto batch = training_batch(*trainee, task, 0, 0, 32);
  const auto targets = flattened(batch.targets);
  Outputs taught;
  std::size_t passes = 0;
  Gradients gradients(*trainee, task, gradient_settings(settings, "cpu"));
  gradients.run_all(
      architectures, batch, 0.5, true, [](const auto&) {},
      [&](const PassResult& pass) {
        for (const auto& parameter : trainee->parameters())
          at::Tensor(parameter.value).mutable_grad().reset();
        const auto outputs = trainee->forward(architectures[passes], batch.inputs,
                                              {.training = true, .attention = true});
        const at::Tensor values = outputs.values[0];
        at::Tensor loss = task.losses(values.flatten(0, 1), targets, 0).sum() / 32;
        if (passes++ == 0) {
          taught = outputs;
        } else {
          const at::Tensor soft =
              -(at::softmax(taught.values[0].detach(), 2) * at::log_softmax(values, 2)).sum() / 32;
          auto teacher = taught.attentions.at(0);
          for (const auto part : kRelated) teacher.*part = (teacher.*part).detach();
          const at::Tensor relations = relation_losses(outputs.attentions.at(0), teacher,
                                                       {0, settings.relation_loss == "kl"})
                                           .sum() /
                                       32;
          CHECK(relations.item<double>() > 1e-4);
          loss = (1 - kLogits - kRelations) * loss + kLogits * soft + kRelations * relations;
        }
        loss = 0.5 * loss;
        CHECK(pass.loss.item<double>() == Approx(loss.item<double>()).epsilon(1e-4));
        loss.backward();
        for (std::size_t i = 0; i < trainee->parameters().size(); ++i) {
          const at::Tensor expected = trainee->parameters()[i].value.grad();
          REQUIRE(expected.defined() == pass.gradients[i].defined());
          if (expected.defined()) CHECK(difference(pass.gradients[i], expected) < 1e-4);
        }
      });
  CHECK(passes == 3);
}

TEST_CASE("networks of any depth side by side learn the relations of a larger teacher") {
  const Stripes task;
  const auto space = images(), larger = images({{"layers", "7"}});
  const auto teacher = std::make_shared<Subnet>(fresh_subnet(larger, larger.largest(), 5));
  auto settings = relating();
  settings.distill = 0;
  settings.distill_relations = 1;
  settings.teacher = "given";
  const std::vector<spaces::Genotype> genotypes{space.smallest(), space.largest(),
                                                space.smallest()};
  for (const auto& orders : {std::vector<std::int64_t>{0, 1, 2}, {0, 0, 0}}) {
    std::vector<Subnet> students;
    for (std::size_t i = 0; i < genotypes.size(); ++i)
      students.push_back(fresh_subnet(space, genotypes[i], i + 1));
    const auto trainee =
        subnet_trainee(std::vector<Subnet*>{&students[0], &students[1], &students[2]}, orders);
    trainee->learn_from(teacher);
    const auto batch = training_batch(*trainee, task, 0, 0, 32);
    double expected = 0;
    for (std::int64_t i = 0; i < 3; ++i) {
      const NamedTensors inputs{{"image", batch.inputs[0].second[i]}};
      expected += relation_losses(
                      students[static_cast<std::size_t>(i)].with_attention(inputs).attentions[0],
                      teacher->with_attention(inputs).attentions[0], {})
                      .mean()
                      .item<double>();
    }
    CHECK(expected > 1e-3);
    Gradients gradients(*trainee, task, gradient_settings(settings, "cpu"));
    gradients.run_all(
        trainee->draw(0), batch, 1, true, [](const auto&) {},
        [&](const PassResult& pass) {
          CHECK(pass.loss.item<double>() == Approx(expected).epsilon(1e-4));
        });
    // It is learned.
    settings.epochs = 4;
    settings.optimizer = "adamw";
    settings.learning_rate = 2e-3;
    std::vector<double> losses;
    TrainHooks hooks;
    hooks.report = [&](const TrainProgress& now) { losses.push_back(now.metrics.at("loss")); };
    train(*trainee, task, settings, hooks);
    CHECK(losses.back() < 0.7 * losses.front());
  }
}

TEST_CASE("supernets that learn relations train together as each would alone, and in pieces") {
  const Stripes task(128);
  const auto space = images({{"layers", "4"}});
  const auto settings = relating();
  const SharingSettings plain{.kind = "plain", .copies = 1};
  Two together(space, plain), alone(space, plain), pieces(space, plain);
  train(*supernet_trainee(together.members, settings, 7, {0, 1}), task, settings, {});
  for (std::int64_t i = 0; i < 2; ++i) {
    Supernet* const one[] = {alone.members[static_cast<std::size_t>(i)]};
    train(*supernet_trainee(one, settings, 7, {i}), task, settings, {});
  }
  supernet::test::OfLittleMemory trainee(supernet_trainee(pieces.members, settings, 7, {0, 1}), 16,
                                         [](const at::Tensor&) {});
  train(trainee, task, settings, {});
  for (std::size_t net = 0; net < 2; ++net) {
    const auto expected = together.members[net]->parameters();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(expected[i].first);
      CHECK(difference(alone.members[net]->parameters()[i].second, expected[i].second) < 1e-3);
      CHECK(difference(pieces.members[net]->parameters()[i].second, expected[i].second) < 1e-3);
    }
  }
}

TEST_CASE("a training on relations that is cut off ends bit for bit where an unbroken one does") {
  require_exact_resume(images(), Stripes(), relating(), "relations");
}

TEST_CASE("relations that cannot be learned are refused") {
  const Stripes task;
  const auto space = images();
  auto settings = relating();
  Supernet net(space, {.kind = "plain", .copies = 1}, 1);
  const auto error = [&](const std::shared_ptr<const Subnet>& teacher) {
    const auto trainee = supernet_trainee(net, settings, 7);
    trainee->learn_from(teacher);
    train(*trainee, task, settings, {});
  };
  SECTION("nobody teaches") {
    settings.sampler = "uniform";
    settings.distill = 0;
    CHECK_THROWS_WITH(error(nullptr), Contains("have no largest network"));
  }
  SECTION("shares of more than the loss") {
    settings.distill = 0.8;
    CHECK_THROWS_WITH(error(nullptr), Contains("distill = 0.8 and distill_relations = 0.3") &&
                                          Contains("more than 1 together"));
  }
  SECTION("heads that do not divide") {
    settings.relation_heads = 5;
    CHECK_THROWS_WITH(error(nullptr), Contains("relation_heads = 5 must divide"));
  }
  SECTION("a teacher without attention") {
    const auto convolutions =
        spaces::Space::make("resnet-pooling", task.shape(), {{"layers", "5"}, {"poolings", "2"}});
    CHECK_THROWS_WITH(
        error(std::make_shared<Subnet>(fresh_subnet(convolutions, convolutions.smallest(), 1))),
        Contains("without self-attention"));
    CHECK_THROWS_WITH(
        check_relations(convolutions.bind(convolutions.smallest()), space.bind(space.largest()), 0),
        Contains("without self-attention"));
  }
  SECTION("a teacher over other positions") {
    const auto coarse = images({{"layers", "4"}, {"patch", "6"}});
    CHECK_THROWS_WITH(error(std::make_shared<Subnet>(fresh_subnet(coarse, coarse.largest(), 1))),
                      Contains("over 4 positions, and that of a network over 9"));
    CHECK_THROWS_WITH(
        check_relations(space.bind(space.largest()), coarse.bind(coarse.largest()), 0),
        Contains("over 4 positions, and that of a network over 9") &&
            Contains("take a teacher of the same kind of space"));
  }
  SECTION("a teacher of another size can teach") {
    const auto larger = images({{"layers", "7"}});
    CHECK_NOTHROW(check_relations(space.bind(space.smallest()), larger.bind(larger.largest()), 16));
    CHECK_THROWS_WITH(
        check_relations(space.bind(space.smallest()), larger.bind(larger.largest()), 48),
        Contains("relation_heads = 48 must divide the 64 features"));
  }
}

TEST_CASE("keys of relations are read, and refused where they contradict each other") {
  const auto read = [](const std::string& keys) {
    auto config = core::Config::from_text("[supernet]\n" + keys, "job.toml");
    return TrainSettings::read(config.root().section("supernet"));
  };
  const auto settings =
      read("distill = 0.4\ndistill_relations = 0.6\nrelation_heads = 8\nrelation_loss = \"kl\"\n");
  CHECK(settings.distill_relations == 0.6);
  CHECK(settings.relation_heads == 8);
  CHECK(settings.relation_loss == "kl");
  CHECK(read("teacher = \"folder\"\n").distill == 0.5);
  CHECK(read("teacher = \"folder\"\ndistill_relations = 1\n").distill == 0);
  CHECK_THROWS_WITH(read("distill = 0.5\ndistill_relations = 0.6\n"),
                    Contains("job.toml:3: [supernet] distill_relations") &&
                        Contains("distill = 0.5 and distill_relations = 0.6") &&
                        Contains("lower one of them"));
  CHECK_THROWS_WITH(read("distill = 0.5\nrelation_heads = 8\n"),
                    Contains("job.toml:3: [supernet] relation_heads") &&
                        Contains("only a training with distill_relations"));
  CHECK_THROWS_WITH(read("distill_relations = 1\nrelation_loss = \"l1\"\n"),
                    Contains("job.toml:3: [supernet] relation_loss"));
}

TEST_CASE("replayed passes learn the relations of their own step", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto task = supernet::test::small_task(360, "cuda");
  const auto space = spaces::Space::make("vit", task->shape(), {{"layers", "5"}});
  const bool bfloat16 = GENERATE(false, true);
  const bool given = GENERATE(false, true);
  CAPTURE(bfloat16, given);
  Two nets(space);
  nets.a.to("cuda");
  nets.b.to("cuda");
  auto settings = relating();
  const auto trainee = supernet_trainee(nets.members, settings, 7, {0, 1});
  if (given) {
    auto teacher = std::make_shared<Subnet>(fresh_subnet(space, space.largest(), 5));
    teacher->to("cuda");
    trainee->learn_from(std::move(teacher));
  }
  auto how = gradient_settings(settings, "cuda");
  how.bfloat16 = bfloat16;
  Gradients replayed(*trainee, *task, how);
  how.replay = false;
  Gradients launched(*trainee, *task, how);
  const auto architectures = trainee->draw(0);
  for (std::int64_t step = 0; step < 4; ++step) {  // launched, recorded, and replayed twice
    const auto batch = training_batch(*trainee, *task, 0, step, 64);
    std::vector<PassResult> expected;
    launched.run_all(
        architectures, batch, 1, true, [](const auto&) {},
        [&](const PassResult& pass) { expected.push_back(pass); });
    std::size_t i = 0;
    replayed.run_all(
        architectures, batch, 1, true, [](const auto&) {},
        [&](const PassResult& pass) {
          const auto& wanted = expected[i++];
          CHECK(difference(pass.loss, wanted.loss) < (bfloat16 ? 1e-2 : 1e-4));
          for (std::size_t p = 0; p < wanted.gradients.size(); ++p) {
            REQUIRE(pass.gradients[p].defined() == wanted.gradients[p].defined());
            if (pass.gradients[p].defined())
              CHECK(difference(pass.gradients[p], wanted.gradients[p]) < (bfloat16 ? 5e-2 : 1e-3));
          }
        });
  }
}
