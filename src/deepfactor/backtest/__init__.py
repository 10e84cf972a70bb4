"""Shares, cash and orders, day by day: book, fills, signals, the loop, performance."""
