"""Scalings, a file a kind: how raw features become a network's standardised windows. Every file has ``Settings(Spec)``
and what `base.ScalesWindows` or `base.ScalesRows` asks for.

A window of day t is decided by rows up to t and by batches up to day t's alone.
"""
