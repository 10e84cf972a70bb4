"""What mkdocs does to a page of the site after it has rendered it, see `mkdocs.yml`."""

from __future__ import annotations

import re


def on_post_page(output: str, **_: object) -> str:
    """The theme's script asks for a site map beside each alternate language: the links of its menu are enough. And an
    empty corner of a table heads nothing, so that no screen reader stops there.

    >>> on_post_page('<link rel="alternate" href="x.html" hreflang="zh"><p>')
    '<p>'
    >>> on_post_page("<tr><th></th><th>2019</th></tr>")
    '<tr><td></td><th>2019</th></tr>'
    """
    return re.sub(r"<th([^>]*)>\s*</th>", r"<td\1></td>", re.sub(r'<link rel="alternate"[^>]*>', "", output))
