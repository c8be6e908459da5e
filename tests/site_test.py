"""The documentation site: it builds, lists every public name, and works in a browser.

`TF_DEFOCUS_SITE` names a folder that holds the site already, as `make docs` makes it.
"""

import functools
import html.parser
import http.server
import importlib
import inspect
import os
import pathlib
import re
import subprocess
import sys
import threading
import types
import zlib

import pytest

from tests.testing import ROOT

pytestmark = pytest.mark.slow
NOTHING = ("main", "native_kernel")  # returns an exit code; is a context
WIDTHS = {"phone": 390, "desktop": 1400}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; a warning of the build is a failure."""
    if os.environ.get("TF_DEFOCUS_SITE"):
        return pathlib.Path(os.environ["TF_DEFOCUS_SITE"])
    for name in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(name, reason='pip install ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    # As a user builds it: TensorFlow's level of these tests would show its notes.
    quiet = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=ROOT,
        env=quiet | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages():
    """The module that makes the pages."""
    pytest.importorskip("mkdocs", reason='pip install ".[docs]"')
    path = ROOT / "docs" / "make_pages.py"
    spec = importlib.util.spec_from_file_location("make_pages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_has_an_entry(site, pages):
    """Those of the package and of each of its rooms, in the site's inventory."""
    content = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(content).decode().splitlines()
    entries = {line.split()[0] for line in lines}
    for room in ("", *pages.ROOMS):
        module = importlib.import_module(f"tf_defocus.{room}".rstrip("."))
        for name, found in pages.public_names(module).items():
            if isinstance(found, types.ModuleType):
                place = found.__name__
                assert place in entries or place.split(".")[1] in pages.ROOMS, name
            else:
                assert pages.place_of(found) in entries, f"{room}.{name}"


def test_entries_say_what_goes_in_and_what_comes_out(pages):
    """Every public function with arguments, but for those that return nothing."""
    incomplete = []
    for room in ("", *pages.ROOMS):
        module = importlib.import_module(f"tf_defocus.{room}".rstrip("."))
        for name, found in pages.public_names(module).items():
            if inspect.isfunction(found) and inspect.signature(found).parameters:
                text = inspect.getdoc(found)
                given = re.search(r"(Args|arguments)\b", text)
                gives = re.search(r"^(Returns|Yields|Raises):", text, re.MULTILINE)
                if not (given and (gives or name in NOTHING)):
                    incomplete.append(f"{room}.{name}")
    assert not incomplete


def test_every_network_names_its_paper(pages):
    for network in pages.PAPERS:
        model = importlib.import_module(f"tf_defocus.models.{network}")
        source = inspect.getdoc(model).split("\n\n")[1]
        assert re.search(r'"[A-Z].*"[,:].*20\d\d', source, re.DOTALL), network
    assert len(pages.PAPERS) > 15


def test_a_name_without_a_docstring_stops_the_build(pages):
    from mkdocs.exceptions import PluginError

    def undocumented():
        pass

    with pytest.raises(PluginError, match="undocumented is public and has no docstr"):
        pages.place_of(undocumented)


class _Links(html.parser.HTMLParser):
    """What a page loads, and where its menu leads."""

    def __init__(self):
        super().__init__()
        self.loaded, self.menu = [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in ("script", "img", "source", "iframe") and found.get("src"):
            self.loaded.append(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "preconnect"):
            self.loaded.append(found["href"])
        if tag == "a" and "md-nav__link" in (found.get("class") or ""):
            self.menu.append(found["href"])


def test_pages_load_nothing_from_elsewhere_and_what_they_load_is_there(site):
    for page in sorted(site.rglob("*.html")):
        links = _Links()
        links.feed(page.read_text())
        assert links.loaded
        for link in links.loaded:
            assert "//" not in link, f"{page}: {link}"
            path = link.split("?")[0]
            base = site if path.startswith("/") else page.parent
            assert (base / path.lstrip("/")).is_file(), f"{page}: {link}"


@pytest.fixture(scope="module")
def address(site):
    """The site, served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("device", WIDTHS)
def test_the_menu_leads_through_the_site(device, browser, address):
    """Every page of the menu opens, fits the screen, and reports no error."""
    page = browser.new_page(viewport={"width": WIDTHS[device], "height": 900})
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda r: faults.append(r.url) if r.status > 399 else None)
    page.route("**/search.*", lambda route: route.abort())  # its index is large
    page.goto(f"{address}/index.html")
    hrefs = page.eval_on_selector_all(
        ".md-nav--primary a.md-nav__link[href]",
        "links => links.map(link => link.href.split('#')[0])",
    )
    assert len(set(hrefs)) > 50
    for href in dict.fromkeys(hrefs):
        assert href.startswith(address), href
        assert page.goto(href).status == 200, href
        assert page.locator("article h1").first.inner_text().strip(), href
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= WIDTHS[device] + 1, f"{href} is {width} px wide"
    assert not faults
    page.close()


def test_a_phone_opens_the_menu_and_follows_it(browser, address):
    page = browser.new_page(viewport={"width": WIDTHS["phone"], "height": 800})
    page.goto(f"{address}/index.html")
    page.locator("label.md-header__button[for=__drawer]").click()
    page.locator(".md-nav--primary label.md-nav__link:has-text('Guides')").first.click()
    page.locator(".md-nav--primary a:has-text('Restore photographs')").first.click()
    page.wait_for_url("**/guides/restore.html")
    assert page.locator("article h1").first.inner_text().startswith("Restore")
    page.close()


def test_the_search_finds_a_name(browser, address):
    page = browser.new_page(viewport={"width": WIDTHS["desktop"], "height": 900})
    page.goto(f"{address}/index.html")
    page.locator("input.md-search__input").fill("ScaleAttention")
    page.locator("a.md-search-result__link").first.wait_for(timeout=20_000)
    assert "reference/layers.html" in page.locator(
        "a.md-search-result__link"
    ).first.get_attribute("href")
    page.close()
