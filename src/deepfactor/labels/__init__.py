"""What a model is trained to foresee, a file a kind. Labels need only returns, ln cap and industry.

A kind file has ``Settings(LabelSettings)`` and what `base.LabelKind` asks for.
"""
