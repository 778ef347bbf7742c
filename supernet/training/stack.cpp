#include "training/stack.hpp"

#include <ATen/ATen.h>

#include <stdexcept>

#include "mosaic/core/text.hpp"
#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {

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
