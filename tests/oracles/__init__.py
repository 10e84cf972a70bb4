"""The product's figures a second time, by other means: what tests and research hold them to."""
