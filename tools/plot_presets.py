"""Draws a part of a photograph as every shipped preset restores it.

    python tools/plot_presets.py --output docs/presets.jpg

The photograph is the demonstration's first: scikit-image's motorcycle, defocused by
this project's optics, so that the truth is known. Single views and pairs are given to
each preset as it wants them; above each part stands its PSNR on the whole photograph.
"""

import numpy as np
from absl import flags

from tf_defocus import commands

OUTPUT = flags.DEFINE_string("output", None, "Picture to write.", required=True)
PRESET = flags.DEFINE_list("preset", None, "Presets [all that are shipped].")
LEFT = flags.DEFINE_integer("left", 330, "Of the part [px].", 0)
TOP = flags.DEFINE_integer("top", 60, "Of the part [px].", 0)
SIZE = flags.DEFINE_integer("size", 260, "Of the part, a square [px].", 16)
COLUMNS = 4


def main(_):
    """Restores, scores and draws."""
    import tf_defocus
    from tf_defocus.evaluation import protocols
    from tf_defocus.images import levels
    from tf_defocus.images.files import Image, write_image
    from tf_defocus.reports import demo
    from tf_defocus.reports.picture_sheet import picture_sheet

    example = next(demo.examples())
    images = {"input": example.views["blurred"]}
    for name in PRESET.value or tf_defocus.list_presets():
        restorer = tf_defocus.Restorer.from_preset(name)
        views = {view: example.views[view] for view in restorer.view_names}
        images[name] = restorer.restore(**views)
    part = (
        slice(TOP.value, TOP.value + SIZE.value),
        slice(LEFT.value, LEFT.value + SIZE.value),
    )
    parts = []
    for name, image in [*images.items(), ("truth", example.sharp)]:
        score = protocols.score(image, example.sharp, "native16")["psnr"]
        text = name if name == "truth" else f"{name}  {score:.2f} dB"
        levels_of_part = levels.to_levels(levels.to_float(image[part]), np.uint8)
        parts.append((text, levels_of_part))
    write_image(OUTPUT.value, Image(picture_sheet(parts, COLUMNS)))
    print(f"written: {OUTPUT.value}")


if __name__ == "__main__":
    commands.run(main)
