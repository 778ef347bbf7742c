/// What a space can say and the executor does not do yet. Private to this folder.
#pragma once

#include <vector>

#include "mosaic/spaces/supergraph.hpp"

namespace mosaic::supernet {

/// Throws core::Error for an auxiliary loss: who trains without it trains something else.
void expect_no_losses(const std::vector<spaces::AuxiliaryLoss>& losses);
/// Throws core::Error for an entry point that keeps a state between calls.
void expect_no_states(const spaces::EntryPoint& entry);

}  // namespace mosaic::supernet
