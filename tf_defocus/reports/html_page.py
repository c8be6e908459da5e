"""Pages of before and after: sliders and tables that need nothing but a browser.

Text is escaped here; names of pictures are relative addresses. `SLIDER_STYLE` and
`SLIDER_SCRIPT` make sliders work on any page.
"""

import html
import urllib.parse

STYLE = """
:root { color-scheme: light dark; --ink: #1d2429; --paper: #fff; --soft: #5b666e;
  --line: #d5dadd; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e7ea; --paper: #15191c; --soft: #9aa5ad; --line: #3a4248; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1280px;
  padding: 1em; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.6em; } h2 { font-size: 1.25em; margin: 2em 0 .5em; }
.row { display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 150px), 1fr)); }
.row.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); }
figure { margin: 0; } figure img { width: 100%; display: block; }
figcaption { font-size: 14px; color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: 4px 10px; text-align: right;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
"""

SLIDER_STYLE = """
.compare { margin: 0 0 1em; width: fit-content; max-width: 100%; }
.compare .head { display: flex; gap: 1em; align-items: center; min-height: 2em;
  justify-content: space-between; }
.compare button { font: inherit; font-size: 14px; padding: 2px 12px; cursor: pointer;
  border: 1px solid currentColor; border-radius: 4px; background: none; color: inherit;
  flex: none; }
.compare.fits button { display: none; }
.compare .frame { overflow: auto; position: relative; }
.compare.full .frame { max-height: 85vh; }
.compare .pair { position: relative; width: fit-content; max-width: 100%;
  touch-action: pan-y; cursor: ew-resize; user-select: none; overflow: hidden; }
.compare .pair img { display: block; max-width: 100%; width: auto; margin: 0; }
.compare .pair img + img { position: absolute; inset: 0; width: 100%; height: 100%;
  max-width: none; clip-path: inset(0 calc(100% - var(--cut, 50%)) 0 0); }
.compare .pair::after { content: ""; position: absolute; top: 0; bottom: 0; width: 2px;
  left: calc(var(--cut, 50%) - 1px); background: #fff; box-shadow: 0 0 3px #000; }
.compare.full .pair { max-width: none; touch-action: auto; cursor: grab; }
.compare.full .pair img { width: 100%; max-width: none; }
.compare input { display: block; width: 100%; margin: 6px 0 0; height: 28px;
  accent-color: #00897b; }
"""

# The divider stands at a share of what is seen of the pictures, also when they are
# larger than their frame. Listeners of the whole document serve sliders added later.
SLIDER_SCRIPT = """
(() => {
  const part = (c, name) => c.querySelector(name);
  const place = c => {
    const frame = part(c, ".frame"), pair = part(c, ".pair");
    const seen = Math.min(frame.clientWidth, pair.clientWidth);
    const cut = frame.scrollLeft + seen * part(c, "input").value / 100;
    pair.style.setProperty("--cut", cut + "px");
    const own = part(c, "img").naturalWidth / devicePixelRatio;
    c.classList.toggle("fits", !c.classList.contains("full") && own <= seen + 1);
  };
  const all = () => document.querySelectorAll(".compare").forEach(place);
  const zoom = c => {
    const frame = part(c, ".frame"), pair = part(c, ".pair");
    const across = (frame.scrollLeft + frame.clientWidth / 2) / pair.clientWidth;
    const down = (frame.scrollTop + frame.clientHeight / 2) / pair.clientHeight;
    const full = c.classList.toggle("full");
    const own = part(c, "img").naturalWidth / devicePixelRatio;
    pair.style.width = full ? own + "px" : "";
    part(c, "button").textContent = full ? "fit" : "100 %";
    frame.scrollLeft = across * pair.clientWidth - frame.clientWidth / 2;
    frame.scrollTop = down * pair.clientHeight - frame.clientHeight / 2;
    place(c);
  };
  const of = event => event.target.closest && event.target.closest(".compare");
  let held = null;
  const drag = event => {
    const frame = part(held.c, ".frame"), box = part(held.c, ".pair");
    if (held.c.classList.contains("full")) {
      if (event.pointerType !== "mouse") return;
      frame.scrollLeft = held.left - (event.clientX - held.x);
      frame.scrollTop = held.top - (event.clientY - held.y);
    } else {
      const { left, width } = box.getBoundingClientRect();
      part(held.c, "input").value = 100 * (event.clientX - left) / width;
    }
    place(held.c);
  };
  document.addEventListener("input", e => of(e) && place(of(e)));
  document.addEventListener("click", e =>
    of(e) && e.target.matches("button") && zoom(of(e)));
  document.addEventListener("pointerdown", e => {
    if (!of(e) || !e.target.closest(".pair")) return;
    const frame = part(of(e), ".frame");
    held = { c: of(e), x: e.clientX, y: e.clientY,
             left: frame.scrollLeft, top: frame.scrollTop };
    if (e.pointerType === "mouse") e.preventDefault();
  });
  document.addEventListener("pointermove", e => held && drag(e));
  for (const end of ["pointerup", "pointercancel"])
    document.addEventListener(end, e => {
      if (held && end === "pointerup" && !held.c.classList.contains("full")) drag(e);
      held = null;
    });
  document.addEventListener("scroll", e => of(e) && place(of(e)), true);
  document.addEventListener("load", e => of(e) && place(of(e)), true);
  addEventListener("resize", all);
  addEventListener("load", all);
})();
"""


def slider(title, before, after):
    """Two pictures of one size behind a slider, to be seen whole or pixel by pixel.

    Args:
        title: str, the caption; also what the pictures are called for who does not see.
        before, after: str, names of the picture files beside the page.

    Returns:
        str, HTML.
    """
    name = html.escape(title)
    return f"""<figure class="compare"><div class="head"><figcaption>{name}</figcaption>
<button type="button" aria-label="show every pixel, or fit the picture">100 %</button>
</div><div class="frame" tabindex="0"><div class="pair"><img src="{_address(after)}"
 alt="{name}, after" draggable="false"><img src="{_address(before)}"
 alt="{name}, before" draggable="false"></div></div>
<input type="range" min="0" max="100" step="any" value="50"
 aria-label="before to after"></figure>"""


def figure(picture, *caption, alt=None):
    """A picture with lines of text below it; `alt` says what it shows, else they do."""
    lines = "<br>".join(html.escape(line) for line in caption)
    shown = html.escape(alt or ", ".join(caption))
    return (
        f'<figure><img src="{_address(picture)}" alt="{shown}">'
        f"<figcaption>{lines}</figcaption></figure>"
    )


def heading(text):
    """The heading of a section."""
    return f"<h2>{html.escape(text)}</h2>"


def row(parts, wide=False):
    """Figures side by side, as many as the screen is wide.

    Args:
        parts: iterable of HTML.
        wide: bool, for sliders, which need more room than pictures.
    """
    return f'<div class="row{" wide" * wide}">{"".join(parts)}</div>'


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
    rows = f"<tr>{titles}{''.join(cells)}"
    return f'<div class="scroll"><table>{rows}</table></div>'


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
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}{SLIDER_STYLE}</style></head><body>
<h1>{html.escape(heading)}</h1>
{chr(10).join(parts)}
<script>{SLIDER_SCRIPT}</script></body></html>
"""


def _address(name):
    return html.escape(urllib.parse.quote(name, safe="/="))
