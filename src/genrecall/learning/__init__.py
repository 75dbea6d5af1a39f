"""What every training shares: the loop, optimizers, checkpoints, chance, threads, processes."""
