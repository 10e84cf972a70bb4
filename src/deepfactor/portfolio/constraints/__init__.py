"""A constraint is a file: `Settings`, its `FAMILY`, and `limits(settings, r, invested)` (15 to 30 lines).

`r` is the day's `Rebalance`, `invested` is 1 - cash. What comes back is `Rows` or `Bounds`, in the unit that people
read; a row that does not apply on a day is left out, never loosened. A heuristic that has to see an answer first has a
`limits_again(settings, r, invested, weights)` too, for a second solution of the day.
"""
