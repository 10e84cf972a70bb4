"""Scalings, a file a kind: how raw features become a network's standardised windows. Every file has

* ``Settings(Spec)`` and ``check(features)``, which raises `RecipeError` where the fields don't suffice;
* ``SCALES``: what it works on, and what that takes:

  * ``"windows"``: ``standard(settings, features, windows) -> Standard`` of one day's gathered windows (L, b, f), and
    ``KEEP``: whether that costs more to compute than to read from disk;
  * ``"rows"``: ``rows(settings, features, batch, span) -> (len(span), N, f)``, finished rows that windows are cut from,
    and ``rows_back(settings)``: how many rows before its own a row reads.

A window of day t is decided by rows up to t and by batches up to day t's alone.
"""
