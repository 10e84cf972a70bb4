"""Tushare, by HTTP: its calls, what is asked in which order, how an answer is read."""
