#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"
#include "support.hpp"

using namespace mosaic;
using namespace mosaic::predictors;
using namespace mosaic::predictors::testing;

namespace {

std::unique_ptr<Predictor> fitted_ridge() {
  const Records records = latency_like_records(60, 0.02, 1);
  auto predictor = make_predictor("ridge");
  predictor->fit(records.rows, records.targets, 1);
  return predictor;
}

/// Writes the file that save_predictor() writes, after `change`, with its hash made to fit.
template <class F>
void save_changed(const std::string& path, F change) {
  save_predictor(*fitted_ridge(), "ridge", {"a", "b", "c"}, path);
  auto document = nlohmann::json::parse(core::read_file(path));
  document.erase("hash");
  change(document);
  document["hash"] = core::hash_hex(document.dump());
  core::write_file_atomic(path, document.dump());
}

std::string load_message(const std::string& path) {
  return message_of([&] { load_predictor(path); });
}

}  // namespace

TEST_CASE("a saved predictor predicts the same bits when it is loaded") {
  const TemporaryFile file("ridge.json");
  const auto predictor = fitted_ridge();
  const Records unseen = latency_like_records(50, 0, 2);
  save_predictor(*predictor, "ridge", {"depth", "width", "kernel"}, file.path());

  std::vector<std::string> features;
  const auto loaded = load_predictor(file.path(), &features);
  CHECK(features == std::vector<std::string>{"depth", "width", "kernel"});
  CHECK(same_bits(loaded->predict(unseen.rows), predictor->predict(unseen.rows)));
  CHECK(loaded->save() == predictor->save());
}

TEST_CASE("a predictor with more columns than records survives its file") {
  const TemporaryFile file("wide.json");
  const Records records = linear_records(12, 40, 0.1, 1);
  const auto predictor = make_predictor("ridge");
  predictor->fit(records.rows, records.targets, 1);
  save_predictor(*predictor, "ridge", {}, file.path());
  const Records unseen = linear_records(20, 40, 0.1, 2);
  CHECK(same_bits(load_predictor(file.path())->predict(unseen.rows),
                  predictor->predict(unseen.rows)));
}

TEST_CASE("a truncated predictor is refused wherever it ends") {
  const TemporaryFile file("truncated.json");
  save_predictor(*fitted_ridge(), "ridge", {"a", "b", "c"}, file.path());
  const std::string whole = core::read_file(file.path());
  for (const double share : {0.5, 0.8, 0.99}) {
    const auto size = static_cast<std::size_t>(share * static_cast<double>(whole.size()));
    core::write_file_atomic(file.path(), whole.substr(0, size));
    CHECK_THAT(load_message(file.path()),
               Catch::StartsWith("'" + file.path() + "' is ") &&
                   (Catch::Contains("a damaged or truncated predictor (" + std::to_string(size) +
                                    " bytes): fit the predictor again and save it") ||
                    Catch::Contains("not a predictor: it is no JSON")));
  }
}

TEST_CASE("an edited predictor is noticed") {
  const TemporaryFile file("edited.json");
  save_predictor(*fitted_ridge(), "ridge", {"a", "b", "c"}, file.path());
  std::string text = core::read_file(file.path());
  const auto at = text.find("\"intercept\": ") + 13;
  text[at] = text[at] == '1' ? '2' : '1';
  core::write_file_atomic(file.path(), text);
  CHECK(load_message(file.path()) ==
        "cannot load the predictor '" + file.path() +
            "': its content does not match its hash: it was damaged or edited: fit the predictor "
            "again and save it");
}

TEST_CASE("foreign files are refused by what they lack") {
  const TemporaryFile file("foreign.json");
  core::write_file_atomic(file.path(), std::string_view("arch,latency\n1,2\n"));
  CHECK(load_message(file.path()) == "'" + file.path() +
                                         "' is not a predictor: it is no JSON: give a file that "
                                         "`mosaic predictor fit` wrote");
  for (const std::string text : {"{\"format\": \"safetensors\"}", "[1, 2]", "{}"}) {
    core::write_file_atomic(file.path(), text);
    CHECK(load_message(file.path()) ==
          "'" + file.path() +
              "' is not a predictor: it lacks \"format\": \"mosaic-predictor\": give a file that "
              "`mosaic predictor fit` wrote");
  }
  CHECK_THAT(load_message("/nowhere/p.model"), Catch::StartsWith("cannot read '/nowhere/p.model'"));
}

TEST_CASE("a predictor of a newer version, or with parts missing, is refused") {
  const TemporaryFile file("changed.json");
  save_changed(file.path(), [](auto& document) { document["version"] = 2; });
  CHECK(load_message(file.path()) ==
        "'" + file.path() +
            "' is a predictor of format version 2; this program reads version 1: use the newer "
            "Mosaic that wrote it, or fit it again with this one");

  save_changed(file.path(), [](auto& document) { document["state"].erase("weights"); });
  CHECK_THAT(load_message(file.path()),
             Catch::StartsWith("cannot load the predictor '" + file.path() +
                               "': the state of this 'ridge' predictor is incomplete (") &&
                 Catch::Contains("weights") && Catch::EndsWith("fit it again and save it"));

  save_changed(file.path(), [](auto& document) { document["state"]["weights"] = {1.0}; });
  CHECK_THAT(load_message(file.path()), Catch::Contains("a block of"));

  save_changed(file.path(), [](auto& document) { document["state"]["degree"] = 7; });
  CHECK_THAT(load_message(file.path()), Catch::Contains("contradicts itself"));

  save_changed(file.path(), [](auto& document) { document.erase("spec"); });
  CHECK_THAT(load_message(file.path()),
             Catch::StartsWith("the predictor '" + file.path() + "' is incomplete ("));

  save_changed(file.path(), [](auto& document) { document["spec"] = "oracle"; });
  CHECK_THAT(load_message(file.path()), Catch::Contains("unknown predictor 'oracle'"));
}

TEST_CASE("a predictor whose counts are none is refused") {
  const TemporaryFile file("counts.json");
  const auto refusal = [&](const std::string& place, const nlohmann::json& number) {
    save_changed(file.path(), [&](auto& document) {
      document["state"][nlohmann::json::json_pointer(place)] = number;
    });
    return load_message(file.path());
  };
  for (const std::string place :
       {"/degree", "/records", "/rank", "/features/inputs", "/features/columns/0"})
    for (const nlohmann::json& number : {nlohmann::json(1e80), nlohmann::json(0.5),
                                         nlohmann::json(~0ULL), nlohmann::json(1ULL << 40)}) {
      CAPTURE(place, number.dump());
      CHECK(refusal(place, number) == "cannot load the predictor '" + file.path() +
                                          "': the description of the predictor holds the number " +
                                          number.dump() +
                                          ", which no predictor has: fit it again and save it");
    }
}

TEST_CASE("a failed load leaves a predictor as it was") {
  const auto predictor = fitted_ridge();
  const Records unseen = latency_like_records(5, 0, 2);
  const auto before = predictor->predict(unseen.rows);
  CHECK_THROWS_AS(predictor->load(nlohmann::json::object()), core::Error);
  CHECK(same_bits(predictor->predict(unseen.rows), before));
}

TEST_CASE("a predictor cannot be saved where nothing can be written") {
  CHECK_THAT(message_of([] { save_predictor(*fitted_ridge(), "ridge", {}, "/nowhere/p.model"); }),
             Catch::StartsWith("cannot write '/nowhere/p.model"));
}
