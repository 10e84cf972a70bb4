"""The results on disk: layout, factor files, tables of a backtest, environment. The only writer of results."""
