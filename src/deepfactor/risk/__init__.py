"""A risk model: what a market's factors and stocks vary by, and together, known at each close."""
