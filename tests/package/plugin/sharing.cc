// A way of sharing in one file: every slot is the mean of all its copies.
#include <ATen/ATen.h>

#include "mosaic/supernet/sharing/sharing.hpp"

namespace {

using namespace mosaic;
using namespace mosaic::supernet;

class Average : public Sharing {
 public:
  Average(std::size_t slots, std::int64_t copies) : slots_(slots), copies_(copies) {}
  std::int64_t copies(std::size_t) const override { return copies_; }
  Mixes coefficients(const at::Tensor& encodings, const at::Tensor&, bool) const override {
    return {{at::full({encodings.size(0), copies_}, 1.0 / static_cast<double>(copies_),
                      encodings.options())},
            std::vector<int>(slots_, 0)};
  }
  NamedParameters parameters() const override { return {}; }

 private:
  std::size_t slots_;
  std::int64_t copies_;
};

const core::Registered kEntry{sharing_kinds(), "my-average", "the mean of all copies",
                              SharingFactory([](const spaces::SuperGraph& graph, std::size_t,
                                                const SharingSettings& settings, std::uint64_t) {
                                return std::make_unique<Average>(graph.slots.size(),
                                                                 settings.copies);
                              })};

}  // namespace
