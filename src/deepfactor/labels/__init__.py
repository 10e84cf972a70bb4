"""What a model is trained to foresee, a file a kind. Labels need only returns, ln cap and industry."""
