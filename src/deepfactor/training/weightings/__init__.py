"""Weightings: a file a kind. What turns a table of features, or of deep factors, into one score a stock."""
