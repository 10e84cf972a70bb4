"""From inputs and labels to scores: rolling folds with purge, samples by index, losses, the one loop over epochs, jobs."""
