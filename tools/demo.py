"""Shows what the shipped presets do: `make demo`, or on your files, `make demo INPUT=`.

python tools/demo.py --output results/demo
python tools/demo.py --output results/demo --input my_photos
"""

import pathlib

from absl import flags

from tf_defocus import commands

_OUTPUT = flags.DEFINE_string("output", "results/demo", "Folder for page and pictures.")
_INPUT = flags.DEFINE_string("input", None, "Photograph or folder of your own.")
_PRESET = flags.DEFINE_list(
    "preset", ["kpac_3level", "kpac_3level_dual"], "Presets; the first for --input."
)


def main(_):
    """Restores the demonstration's photographs and writes its page."""
    from tf_defocus import Restorer, cli
    from tf_defocus.markdown_table import markdown_table
    from tf_defocus.reports import demo

    page = pathlib.Path(_OUTPUT.value) / "index.html"
    if _INPUT.value:
        source, folder = pathlib.Path(_INPUT.value), pathlib.Path(_OUTPUT.value)
        restored = folder / "restored"
        options = ["-i", source, "-o", restored, "-n", _PRESET.value[0]]
        code = cli.main(["deblur", *map(str, options), "-r", "--overwrite"])
        base = source if source.is_dir() else source.parent
        pairs = [
            (str(path.relative_to(restored)), base / path.relative_to(restored), path)
            for path in sorted(restored.rglob("*"))
            if path.is_file() and (base / path.relative_to(restored)).is_file()
        ]
        demo.show_folder(pairs, folder)
        print(f"Open {page}")
        return code
    restorers = {name: Restorer.from_preset(name) for name in _PRESET.value}
    options = {"scales": (1, 2, 4, 8), "protect_sharp": True}
    large = Restorer.from_preset(_PRESET.value[0], **options)
    scores = demo.run(restorers, _OUTPUT.value, large)
    print(markdown_table(*demo.table_of(scores)))
    print(f"Open {page}")
    return 0


if __name__ == "__main__":
    commands.run(main)
