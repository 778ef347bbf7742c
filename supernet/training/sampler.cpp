#include "mosaic/supernet/training/sampler.hpp"

namespace mosaic::supernet {

core::Registry<SamplerFactory>& samplers() {
  static core::Registry<SamplerFactory> registry("sampler");
  return registry;
}

std::unique_ptr<Sampler> make_sampler(const std::string& spec, const spaces::Space& space) {
  const core::Call call = core::parse_call(spec);
  return samplers().at(call.name)(call, space);
}

}  // namespace mosaic::supernet
