"""Arrays made once from the market's tables: `Panel`, `Universe`, `Scores`, returns. Tables end in `panel.build`."""
