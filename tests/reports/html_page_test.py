"""Pages escape what they are given and keep the order of the pictures."""

import re

from tf_defocus.reports import html_page


def test_a_slider_lays_the_picture_before_over_the_one_after():
    text = html_page.slider("a < b", "in put.png", "x&y.png")
    assert re.findall(r'src="([^"]+)"', text) == ["x%26y.png", "in%20put.png"]
    assert "<figcaption>a &lt; b</figcaption>" in text
    assert re.findall(r'alt="([^"]+)"', text) == ["a &lt; b, after", "a &lt; b, before"]


def test_tables_and_captions_escape_their_texts():
    text = html_page.table(["<a>", "b"], [["1", "&"], ["2", "-3"]])
    assert re.findall(r"<th>([^<]*)", text) == ["&lt;a&gt;", "b"]
    assert re.findall(r"<td>([^<]*)", text) == ["1", "&amp;", "2", "-3"]
    assert "1 dB<br>&lt;" in html_page.figure("p.png", "1 dB", "<")


def test_a_page_holds_its_parts_in_order():
    text = html_page.page("t & t", "heading", ["<p>one</p>", "<p>two</p>"])
    assert "<title>t &amp; t</title>" in text
    assert '<meta name="viewport" content="width=device-width' in text
    assert "prefers-color-scheme: dark" in text and "http" not in text
    assert text.index("<h1>heading</h1>") < text.index("<p>one") < text.index("<p>two")
