#include "mosaic/supernet/sharing/router.hpp"

namespace mosaic::supernet {
namespace {

/// One-shot sharing: every architecture takes its slice of the one expert (HAT, Once-for-All,
/// SPOS).
class PlainRouter : public ArchRouter {
 public:
  explicit PlainRouter(std::size_t slots) : slots_(slots) {}
  std::int64_t experts(std::size_t) const override { return 1; }
  Mixes coefficients(const at::Tensor&, const at::Tensor&, bool) const override {
    return Mixes::none(slots_);
  }
  NamedParameters parameters() const override { return {}; }

 private:
  std::size_t slots_;
};

const core::Registered kEntry{
    routers(), "plain", "one expert a slot: all architectures share the same weights",
    RouterFactory([](const spaces::SuperGraph& graph, std::size_t, const RouterSettings&,
                     std::uint64_t) { return std::make_unique<PlainRouter>(graph.slots.size()); })};

}  // namespace
}  // namespace mosaic::supernet
