"""Pages of before and after: sliders and tables that need nothing but a browser.

Text is escaped here; names of pictures are relative addresses.
"""

import html
import urllib.parse

STYLE = """
body { font: 16px/1.5 sans-serif; margin: 2em auto; max-width: 1200px; }
.row { display: flex; flex-wrap: wrap; gap: 8px; }
figure { margin: 0; flex: 1 1 200px; }
img { width: 100%; display: block; } figcaption { font-size: 14px; }
.compare { position: relative; max-width: 800px; margin-bottom: 1em; }
.compare img + img { position: absolute; inset: 0; clip-path: inset(0 50% 0 0); }
.compare input { position: absolute; bottom: 8px; left: 5%; width: 90%; }
table { border-collapse: collapse; } td, th { padding: 2px 12px; text-align: right; }
"""


def slider(title, before, after):
    """A heading, and two pictures of one size behind a slider.

    Args:
        title: str.
        before, after: str, names of the picture files beside the page.

    Returns:
        str, HTML.
    """
    return f"""<h2>{html.escape(title)}</h2>
<div class="compare"><img src="{_address(after)}"><img src="{_address(before)}">
<input type="range" value="50" aria-label="before to after" oninput="
this.previousElementSibling.style.clipPath = `inset(0 ${{100 - this.value}}% 0 0)`">
</div>"""


def figure(picture, *caption):
    """A picture with lines of text below it."""
    lines = "<br>".join(html.escape(line) for line in caption)
    return (
        f'<figure><img src="{_address(picture)}"><figcaption>{lines}'
        "</figcaption></figure>"
    )


def table(head, rows):
    """A table of texts.

    Args:
        head: texts of the first row.
        rows: iterable of as many texts each.

    Returns:
        str, HTML.
    """
    titles = "".join(f"<th>{html.escape(text)}" for text in head)
    cells = (
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row)
        for row in rows
    )
    return f"<table><tr>{titles}{''.join(cells)}</table>"


def page(title, heading, parts):
    """A whole document.

    Args:
        title: str, of the window.
        heading: str.
        parts: iterable of HTML.

    Returns:
        str, HTML.
    """
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>
<style>{STYLE}</style>
<h1>{html.escape(heading)}</h1>
{chr(10).join(parts)}
</html>
"""


def _address(name):
    return html.escape(urllib.parse.quote(name))
