"""What the networks learn on a simulated market, where the truth is known, and what is found where there is nothing."""
