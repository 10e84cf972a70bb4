"""Results to page: one self-contained HTML file and the same numbers as JSON. No statistic is computed here."""
