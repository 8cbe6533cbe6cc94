"""One network trained: batches, updates, steps, and the loop with its checkpoints."""
