"""What a GPU can do for training: prepared on the processor, measured where a GPU is at hand."""
