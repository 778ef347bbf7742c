#include "mosaic/supernet/sharing/sharing.hpp"

namespace mosaic::supernet {
namespace {

/// One-shot sharing: every architecture takes its slice of the one copy (HAT, Once-for-All,
/// SPOS).
class Plain : public Sharing {
 public:
  explicit Plain(std::size_t slots) : slots_(slots) {}
  std::int64_t copies(std::size_t) const override { return 1; }
  Mixes coefficients(const at::Tensor&, const at::Tensor&, bool) const override {
    return Mixes::none(slots_);
  }
  NamedParameters parameters() const override { return {}; }

 private:
  std::size_t slots_;
};

const core::Registered kEntry{
    sharing_kinds(), "plain", "one copy a slot: all architectures share the same weights",
    [](const spaces::SuperGraph& graph, std::size_t, const SharingSettings&, std::uint64_t) {
      return std::make_unique<Plain>(graph.slots.size());
    }};

}  // namespace
}  // namespace mosaic::supernet
