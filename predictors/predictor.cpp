/// The registry of predictors, and their files.
#include "mosaic/predictors/predictor.hpp"

#include <nlohmann/json.hpp>

#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/process.hpp"

namespace mosaic::predictors {

namespace {

constexpr const char* kFormat = "mosaic-predictor";
constexpr int kVersion = 1;
constexpr const char* kFitAgain = "fit the predictor again and save it";

/// The document in a predictor's file, known to be whole, ours and of a version that we read.
nlohmann::json read_document(const std::string& path) {
  const std::string text = core::read_file(path);
  const std::string file = "'" + path + "' ";
  auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded()) {
    if (text.find(kFormat) != std::string::npos)
      throw core::Error(
          file + "is a damaged or truncated predictor (" + std::to_string(text.size()) + " bytes)",
          kFitAgain);
    throw core::Error(file + "is not a predictor: it is no JSON",
                      "give a file that `mosaic predictor fit` wrote");
  }
  if (!document.is_object() || document.value("format", nlohmann::json()) != kFormat)
    throw core::Error(file + "is not a predictor: it lacks \"format\": \"" + kFormat + "\"",
                      "give a file that `mosaic predictor fit` wrote");
  const auto version = document.value("version", nlohmann::json());
  if (!version.is_number_integer() || version.get<std::int64_t>() < 1)
    throw core::Error(file + "is a predictor without a version", kFitAgain);
  if (version.get<std::int64_t>() > kVersion)
    throw core::Error(file + "is a predictor of format version " + version.dump() +
                          "; this program reads version " + std::to_string(kVersion),
                      "use the newer Mosaic that wrote it, or fit it again with this one");
  return document;
}

}  // namespace

core::Registry<PredictorFactory>& predictors() {
  static core::Registry<PredictorFactory> registry("predictor");
  return registry;
}

std::unique_ptr<Predictor> make_predictor(const std::string& spec) {
  const core::Call call = core::parse_call(spec);
  return predictors().at(call.name)(call);
}

void save_predictor(const Predictor& predictor, const std::string& spec,
                    const std::vector<std::string>& features, const std::string& path) {
  nlohmann::json document = {{"format", kFormat},         {"version", kVersion},
                             {"mosaic", core::version()}, {"spec", spec},
                             {"features", features},      {"state", predictor.save()}};
  document["hash"] = core::hash_hex(document.dump());
  core::write_file_atomic(path, document.dump(1) + "\n");
}

std::unique_ptr<Predictor> load_predictor(const std::string& path,
                                          std::vector<std::string>* features) {
  nlohmann::json document = read_document(path);
  try {
    const auto hash = document.at("hash").get<std::string>();
    document.erase("hash");
    if (core::hash_hex(document.dump()) != hash)
      throw core::Error("its content does not match its hash: it was damaged or edited", kFitAgain);
    auto predictor = make_predictor(document.at("spec").get<std::string>());
    predictor->load(document.at("state"));
    if (features) document.at("features").get_to(*features);
    return predictor;
  } catch (const core::Error& error) {
    throw core::Error("cannot load the predictor '" + path + "': " + error.message(),
                      error.advice());
  } catch (const nlohmann::json::exception& error) {
    throw core::Error("the predictor '" + path + "' is incomplete (" + error.what() + ")",
                      kFitAgain);
  }
}

}  // namespace mosaic::predictors
