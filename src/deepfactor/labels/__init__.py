"""What a model is trained to foresee, a file a kind. Labels need only returns, ln cap and industry.

A kind file has ``Settings(LabelSettings)``, ``reach(settings) -> int`` (how many rows after t the label of t reads) and
``compute(settings, panel, universe, batch) -> (T, N) float64``.
"""
