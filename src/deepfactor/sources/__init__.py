"""Where tables come from: a file a vendor, all delivering the tables of `deepfactor.store.schema`. Asked by the pipeline.

A source kind is a file with ``class Settings(Spec)`` and ``open_source(settings, folder) -> Source`` (see `base`).
"""
