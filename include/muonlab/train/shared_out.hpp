// What several processes on one run send each other beside gradients. Each updates its shares of
// the arena (optim::Share) and keeps their optimizer state; one process does nothing here. Every
// process calls these functions at the same place.
#pragma once

#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

// The optimizers' work is shared out, with the state that rank 0 has.
void share_out(Trainer& trainer);
// The shares' new values, or the shares' gradients, go to all.
void gather_values(Trainer& trainer);
void gather_gradients(Trainer& trainer);
// To rank 0, for what it alone reads: the optimizers' state, before it is saved or measured; the
// gradients of the step, before they are measured.
void collect_state(Trainer& trainer);
void collect_gradients(Trainer& trainer);

}  // namespace muonlab::train
