"""Who is related to whom on a day, a file a kind: up to m neighbours of each stock with their similarity.

A kind has ``Settings(Spec)`` and what `base.GraphKind` asks for.
"""
