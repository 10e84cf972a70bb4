"""From inputs and labels to scores: folds with purge, samples by index, losses, the loop over epochs, jobs."""
