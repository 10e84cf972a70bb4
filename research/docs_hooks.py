"""What mkdocs does to a page of the site after it has rendered it, see `mkdocs.yml`."""

from __future__ import annotations

import re


def on_post_page(output: str, **_: object) -> str:
    """The theme's script asks for a site map beside each alternate language: the links of its menu are enough.

    >>> on_post_page('<link rel="alternate" href="x.html" hreflang="zh"><p>')
    '<p>'
    """
    return re.sub(r'<link rel="alternate"[^>]*>', "", output)
