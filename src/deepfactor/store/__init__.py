"""The market folder: table definitions, checks, immutable parquet parts behind one manifest. Knows no vendor."""
