"""What makes the pages of docs/results: what is found on real and simulated markets. Speed stands in `benchmarks`."""
