"""Losses, a file a kind: ``Settings(Spec)`` and what `base.LossKind` asks for."""
