/// Work in a process of its own.
#pragma once

#include <functional>
#include <string>

namespace mosaic::core {

/// What `work` gives, from a child process: for work of others that heeds no interrupt. The first
/// Ctrl-C ends the child and throws Interrupted. What `work` throws is an Error here, and so is a
/// child that ends without a result. The child has this thread alone: no use of LibTorch in it.
std::string in_child(const std::function<std::string()>& work);

}  // namespace mosaic::core
