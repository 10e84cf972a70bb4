"""Where tables come from: a file a vendor, all delivering the tables of `deepfactor.store.schema`.

A source kind is a file with ``class Settings(Spec)`` and what `base.SourceKind` asks for. Only
the pipeline asks sources for tables; `store` knows none of them.
"""
