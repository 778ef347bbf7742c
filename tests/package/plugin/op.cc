// An op in one file, specification and kernel.
#include <ATen/ATen.h>

#include "mosaic/spaces/ops.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace {

using namespace mosaic;
using namespace mosaic::supernet;

const core::Registered kSpec{
    spaces::ops(), "my-mean-over-length", "mean over the first axis",
    spaces::OpSpec{.shape = [](const spaces::Node&, const std::vector<spaces::Shape>& inputs)
                       -> spaces::Shape { return {inputs.at(0).at(1)}; },
                   .flops = [](const spaces::GraphNode&, const std::vector<spaces::Dims>&,
                               const spaces::Dims&) { return 0.0; }}};
const core::Registered kKernel{op_kernels(), "my-mean-over-length", "at::mean",
                               OpKernel([](const OpCall& call) { return call.inputs[0].mean(2); })};

}  // namespace
