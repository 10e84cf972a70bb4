"""What a network reads beside the windows, a file an input: ``Settings(Spec)`` and what `base.FromMarket` or
`base.FromSize` asks for.

A file says all of its input: how it is made of a market, what is kept of it, what a day's batch holds, how wide that
is, what names its content. The file's name is what a model says in ``INPUTS``.
"""
