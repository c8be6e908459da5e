"""The page itself: what stands on it, and what its buttons do.

Built with gradio, none of whose services beyond this machine are used: fonts are the
system's, nothing is counted, nothing is shared.
"""

import html
from collections.abc import Sequence

import gradio as gr

from tf_defocus.cli.app import sessions
from tf_defocus.cli.app.choices import SUFFIX, Choices, command
from tf_defocus.cli.app.worker import RestorationError, Stopped, Worker
from tf_defocus.images.files import read_image
from tf_defocus.images.refusals import ImageFileError, shown
from tf_defocus.models import manifest
from tf_defocus.reports import html_page

MAP_CAPTION = (
    "Width of the blur: dark blue in focus, over green and yellow, to red at 128 px "
    "and more"
)
_WELCOME = "<p>Drop a photograph. It stays on this computer.</p>"
FORMATS = [("as it came", "auto"), ("PNG", "png"), ("TIFF", "tif"), ("JPEG", "jpg")]
FORMATS += [("WebP", "webp"), ("AVIF", "avif"), ("HEIC", "heic"), ("BMP", "bmp")]
_PROGRESS = gr.Progress()
_FONT = ("system-ui", "sans-serif")
_MONO = ("ui-monospace", "monospace")
STYLE = (
    html_page.SLIDER_STYLE
    + """
.status p { margin: 0; } .status .fault { color: #c62828; font-weight: 600; }
.dark .status .fault { color: #ff8a80; }
.view figure { margin: 0 0 1em; } .view figcaption { font-size: 14px; opacity: .8; }
.view > div > figure:not(.compare) img { max-width: 100%; max-height: 60vh; }
#also .label-clear-button { display: none; }
.gradio-container { max-width: 1500px !important; }
"""
)


def theme() -> gr.themes.Base:
    """Plain, in the colours of the documentation, with the system's own fonts."""
    return gr.themes.Default(primary_hue="teal", font=_FONT, font_mono=_MONO)


class Page:
    """The page and what stands behind it.

    Args:
        tabs: `Sessions`.
        worker: `Worker`.
        preset: name of the preset that is chosen at first, or a folder with weights.
        fixed: options of `tf-defocus deblur` that every restoration gets.
    """

    def __init__(
        self,
        tabs: sessions.Sessions,
        worker: Worker,
        preset: str,
        fixed: Sequence[str] = (),
    ) -> None:
        self.tabs = tabs
        self.worker = worker
        self.preset = preset
        self.fixed = tuple(fixed)
        self.presets = manifest.list_presets()
        self.blocks = gr.Blocks(
            title="tf-defocus", analytics_enabled=False, delete_cache=(60, 6 * 3600)
        )
        with self.blocks:
            self._build()

    def _build(self):
        gr.Markdown("# tf-defocus\nRemoves defocus blur from a photograph.")
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                self._build_inputs()
            with gr.Column(scale=2, min_width=300):
                self._build_outputs()
        self._connect()

    def _build_inputs(self):
        self.photograph = gr.File(label="Photograph", elem_id="photograph", height=150)
        with gr.Row():
            narrow = {"min_width": 100}  # both in one row of a phone
            self.go = gr.Button(
                "Restore", variant="primary", elem_id="restore", **narrow
            )
            self.stop = gr.Button("Cancel", elem_id="cancel", **narrow)
        self.strength = gr.Slider(0, 1, 1, step=0.05, label="Strength")
        self.protect = gr.Checkbox(True, label="Leave what is in focus as it is")
        self.wants_map = gr.Checkbox(False, label="Show how wide the blur is")
        # How wide blur may be follows from the size, of all but crops.
        self.crop = gr.Checkbox(
            False, label="A crop of a larger photograph: blur may be wider"
        )
        self.ensemble = gr.Checkbox(False, label="Better, in four times the time")
        self._build_editor()
        names = list(dict.fromkeys([*self.presets, self.preset]))
        choices = [(self._title(name), name) for name in names]
        self.chosen = gr.Dropdown(choices, value=self.preset, label="Network")
        with gr.Row(visible=bool(self._views(self.preset))) as self.views:
            self.left = gr.File(label="Left view", elem_id="left", height=130)
            self.right = gr.File(label="Right view", elem_id="right", height=130)
        self.format = gr.Dropdown(FORMATS, value="auto", label="Format of the file")

    def _build_editor(self):
        with gr.Accordion("Restore only here: paint", open=False, elem_id="only"):
            self.editor = gr.ImageEditor(
                sources=(),
                transforms=(),
                layers=False,
                brush=gr.Brush(colors=[("#ff2d55", 0.5)], default_size=40),
                show_label=False,
                placeholder="Drop a photograph first",
                elem_id="mask",
            )

    def _build_outputs(self):
        self.status = gr.HTML(_WELCOME, elem_classes="status", elem_id="status")
        self.view = gr.HTML("", elem_classes="view", elem_id="view", min_height=120)
        self.download = gr.DownloadButton(
            "Download", variant="primary", visible=False, elem_id="download"
        )
        self.more = gr.File(
            label="Also", visible=False, interactive=False, elem_id="also"
        )
        self.command = gr.Textbox(
            label="The same on the command line",
            visible=False,
            interactive=False,
            buttons=["copy"],
            elem_id="command",
        )

    def _connect(self):
        results = [self.status, self.view, self.download, self.more, self.command]
        hidden = {"api_visibility": "private"}
        alone = {"concurrency_limit": 1, "concurrency_id": "reading", **hidden}
        self.photograph.upload(
            self._receive, self.photograph, [*results, self.editor], **alone
        )
        self.photograph.clear(self._forget, None, [*results, self.editor], **hidden)
        for role in ("left", "right"):
            file = getattr(self, role)
            file.upload(self._keeper(role), file, self.status, queue=False, **hidden)
            file.clear(self._dropper(role), None, None, queue=False, **hidden)
        self.chosen.change(
            lambda name: gr.update(visible=bool(self._views(name))),
            *(self.chosen, self.views),
            queue=False,
            **hidden,
        )
        choices = [self.chosen, self.strength, self.protect, self.wants_map]
        choices += [self.crop, self.ensemble, self.format, self.editor]
        running = self.go.click(
            self._restore,
            set(choices),
            results,
            concurrency_limit=1,
            show_progress_on=self.view,
            scroll_to_output=True,
            **hidden,
        )
        self.stop.click(
            self._cancel, None, self.status, cancels=running, queue=False, **hidden
        )
        self.blocks.unload(self._unload)

    def _title(self, name):
        views = " and ".join(self._views(name))
        return f"{name} (with {views} views)" if views else name

    def _views(self, name):
        """The views besides the photograph that a preset wants."""
        inputs = self.presets.get(name, {}).get("inputs", ())
        return tuple(view for view in inputs if view != "blurred")

    def _receive(self, upload, request: gr.Request):
        """A photograph was dropped: keeps and shows it."""
        session = self.tabs.of(request.session_hash)
        session.forget("restored", "mask", "before", "small", "after")
        try:
            path = session.keep("photograph", upload)
            image = read_image(path)
            before = session.fresh("before") / "before.jpg"
            small = session.fresh("small") / "small.jpg"
            sessions.write_preview(before, image)
            sessions.write_preview(small, image, sessions.EDITOR_SIDE)
        except (ImageFileError, OSError) as error:
            session.forget("photograph", "before", "small")
            status, *_ = _fault(session.said(_line(error)))
            return status, "", *_HIDDEN, None
        picture = html_page.figure(
            _address(before), path.name, alt=f"{path.name}, before"
        )
        status = _status(f"{shown(path.name)}: {sessions.describe(image)}")
        return status, picture, *_HIDDEN, _background(small)

    def _forget(self, request: gr.Request):
        """The photograph was removed from the page."""
        self.tabs.of(request.session_hash).forget()
        return _WELCOME, "", *_HIDDEN, None

    def _keeper(self, role):
        def keep(upload, request: gr.Request):
            path = self.tabs.of(request.session_hash).keep(role, upload)
            return _status(f"{role.capitalize()} view: {shown(path.name)}")

        return keep

    def _dropper(self, role):
        def drop(request: gr.Request):
            self.tabs.of(request.session_hash).forget(role)

        return drop

    def _cancel(self, request: gr.Request):
        """Ends what runs or waits for this tab."""
        self.tabs.of(request.session_hash).stop.set()
        return _status("Cancelled.")

    def _unload(self, request: gr.Request):
        self.tabs.close(request.session_hash)

    def _restore(self, chosen, request: gr.Request, progress=_PROGRESS):
        """Restores the tab's photograph and shows what became of it."""
        session = self.tabs.of(request.session_hash)
        session.stop.clear()
        if session.kept("photograph") is None:
            return _fault("There is no photograph yet; drop one.")

        def show(done, total):
            progress(done / total, desc="restoring")

        show(0, 1)
        try:
            asked = [*self.fixed, *self._choices(chosen).arguments(session)]
            notes = self.worker.restore(asked, show, session.stop)
            return self._show(session, asked, notes)
        except Stopped:
            return _fault("Cancelled.")
        except (RestorationError, ImageFileError, OSError) as error:
            return _fault(session.said(_line(error)))

    def _choices(self, chosen):
        preset = chosen[self.chosen]
        painted = (chosen[self.editor] or {}).get("layers") or ()
        return Choices(
            preset,
            self._views(preset),
            chosen[self.strength],
            chosen[self.protect],
            chosen[self.ensemble],
            chosen[self.wants_map],
            chosen[self.format],
            [layer for layer in painted if layer is not None],
            chosen[self.crop],
        )

    def _show(self, session, asked, notes):
        """What was restored, for the page."""
        written = sorted((session.folder / "restored").glob("*/*"))
        maps = [path for path in written if not path.stem.endswith(SUFFIX)]
        (restored,) = set(written) - set(maps)
        image = read_image(restored)
        after = session.fresh("after") / "after.jpg"
        sessions.write_preview(after, image)
        before = session.kept("before")
        title = f"{session.kept('photograph').name}: before | after"
        parts = [html_page.slider(title, _address(before), _address(after))]
        parts += [
            html_page.figure(_address(path), MAP_CAPTION)
            for path in maps
            if path.stem.endswith("_colours")
        ]
        extra = [str(p) for p in (*maps, session.kept("mask")) if p]
        lines = [f"{shown(restored.name)}: {sessions.describe(image)}", *notes]
        label = f"Download {shown(restored.name)}"
        return (
            _status(*map(session.said, lines)),
            "".join(parts),
            gr.update(value=str(restored), label=label, visible=True),
            gr.update(value=extra or None, visible=bool(extra), interactive=False),
            gr.update(value=command(session, asked), visible=True),
        )


_HIDDEN = tuple(gr.update(value=None, visible=False) for _ in range(3))


def _address(path):
    return f"/gradio_api/file={path}"


def _background(path):
    return {"background": str(path), "layers": [], "composite": None}


def _line(error):
    return getattr(error, "strerror", None) or str(error)


def _status(*lines):
    text = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return f'<div role="status">{text}</div>'


def _fault(line):
    """What the page shows in place of a result."""
    text = f'<div role="alert"><p class="fault">{html.escape(line)}</p></div>'
    return text, gr.skip(), *(gr.skip() for _ in range(3))
