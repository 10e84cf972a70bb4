"""The engine of the simulated market, bottom up: settings, calendar, firms, events, limits, alpha, day loop, tables."""
