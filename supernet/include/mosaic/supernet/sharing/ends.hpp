/// Where a supernet stops sharing weights. Free of torch.
#pragma once

#include <string>

namespace mosaic::supernet {

/// In words: at a layer ("block4.conv0") or for the whole space at a decision, architectures go
/// apart by a question ("input below 16 pixels", "{1-1, 1-2} | {2-1, 2-2}").
struct SharingEnd {
  std::string place;
  std::string question;
};

}  // namespace mosaic::supernet
