"""The engine of the simulated market, from settings and calendar to firms, statements, alpha, days and tables."""
