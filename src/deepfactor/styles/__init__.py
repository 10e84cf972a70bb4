"""Style exposures, a file a set. Descriptors that sets share live in `_descriptors.py`.

A kind file has ``Settings(Spec)`` and ``compute(settings, panel, universe) -> Styles``.
"""
