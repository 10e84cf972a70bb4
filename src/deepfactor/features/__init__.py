"""What a model reads of a market, a file a set. Windows are gathered later, by index.

A kind file has ``Settings(FeatureSettings)`` and what `base.FeatureKind` asks for.
"""
