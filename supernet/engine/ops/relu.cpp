#include <ATen/ATen.h>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

const core::Registered kEntry{op_kernels(), "relu", "at::relu", OpKernel([](const OpCall& call) {
                                return at::relu(call.inputs[0]);
                              })};

}  // namespace
}  // namespace mosaic::supernet
