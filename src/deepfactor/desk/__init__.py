"""The desk: holdings as people have them, tomorrow's trades, order files, and the evening's book from the fills."""
