#include "training/stack.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <stdexcept>

#include "mosaic/core/text.hpp"
#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {
namespace {

/// The tensor with rows of zeros behind it.
at::Tensor with_rows(const at::Tensor& tensor, std::int64_t rows) {
  if (tensor.dim() == 0 || tensor.size(0) == rows) return tensor;
  auto shape = tensor.sizes().vec();
  shape[0] = rows - shape[0];
  return at::cat({tensor, at::zeros(shape, tensor.options())});
}

}  // namespace

at::Tensor stacked(const std::vector<at::Tensor>& tensors) {
  at::NoGradGuard guard;
  if (tensors.size() == 1) return tensors[0].detach().unsqueeze(0).requires_grad_();
  std::int64_t most = 0;
  for (const auto& tensor : tensors) most = std::max(most, tensor.size(0));
  at::Tensor result = at::stack(
      core::mapped(tensors, [&](const auto& tensor) { return with_rows(tensor.detach(), most); }));
  for (std::size_t row = 0; row < tensors.size(); ++row)
    tensors[row].set_data(
        result.select(0, static_cast<std::int64_t>(row)).narrow(0, 0, tensors[row].size(0)));
  return result.requires_grad_();
}

std::vector<std::int64_t> one_order_each(std::size_t networks, std::vector<std::int64_t> orders) {
  if (orders.empty()) orders.assign(networks, 0);
  if (networks == 0 || orders.size() != networks)
    throw std::logic_error("training takes one data order for each of its networks");
  return orders;
}

std::string Parameter::label(std::size_t of_networks) const {
  if (networks.size() == of_networks) return name;
  std::vector<std::string> numbers;
  for (const int network : networks) numbers.push_back(std::to_string(network));
  return name + "@" + core::join(numbers, ",");
}

Outputs Trainee::forward(const spaces::Genotype& genotype, const Inputs& inputs, const Mode& mode) {
  const auto program = this->program(genotype, mode);
  return run(*program, inputs, weights(genotype, *program, mode), mode);
}

std::vector<Heritage> Trainee::restructure(const std::string&) {
  throw std::logic_error("what is trained has one structure only");
}

}  // namespace mosaic::supernet
