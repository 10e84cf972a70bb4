"""Factor tests: pure functions on arrays. Start at `factor_test.test_factor`."""
