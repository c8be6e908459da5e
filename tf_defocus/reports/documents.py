"""A report as one page of Markdown, with the command that made it and a few pictures.

Such pages stand in `docs/`; the complete report, with a slider for every image, is
`pages.py`'s.
"""

import pathlib

import cv2

from tf_defocus import whole_files
from tf_defocus.evaluation.pictures import PICTURES, comparison_path
from tf_defocus.evaluation.scores import INPUT
from tf_defocus.images.files import read_image
from tf_defocus.reports.pages import to_markdown

QUALITY = 88  # of the pictures, JPEG


def write_document(path, title, sections, num_pictures=0, note=""):
    """Writes the page, and its pictures into a folder of its name beside it.

    Args:
        path: str or path of the Markdown file.
        title: str.
        sections: list of `comparison.Section`.
        num_pictures: int, pictures of each section; from its worst to its best image.
        note: str, a paragraph that stands before the commands that scored.
    """
    path = pathlib.Path(path)
    commands = "\n".join(c for section in sections for c in section.scores.commands)
    indented = "".join(f"    {line}\n" for line in commands.splitlines())
    body = to_markdown(sections).split("\n", 1)[1]
    note = f"{note}\n\n" if note else ""
    parts = [f"# {title}\n\n{note}Made by\n\n{indented}{body}"]
    for section in sections:
        if num_pictures:
            parts.append(_pictures(section, path, num_pictures))
    path.parent.mkdir(parents=True, exist_ok=True)
    whole_files.write_text(path, "\n".join(parts))


def chosen_images(section, count):
    """Images from the worst to the best gain, evenly spaced in rank.

    Args:
        section: `comparison.Section`.
        count: int.

    Returns:
        (method by whose gain in PSNR they are ranked, list of image records).
    """
    images = section.scores.images
    method = list(images[0]["scores"])[-1]

    def gain(image):
        scores = image["scores"]
        return float(scores[method]["psnr"]) - float(scores[INPUT]["psnr"])

    ranked = sorted(images, key=gain)
    count = min(count, len(ranked))
    places = [round(i * (len(ranked) - 1) / max(count - 1, 1)) for i in range(count)]
    return method, [ranked[place] for place in places]


def _pictures(section, path, count):
    method, images = chosen_images(section, count)
    lines = [
        f"Pictures: from the worst to the best gain of {method}. Left to right: "
        f"{', '.join([*images[0]['scores'], 'sharp'])}."
    ]
    folder = path.parent / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        source = comparison_path(section.scores.folders[0] / PICTURES, image["name"])
        target = folder / f"{source.stem}.jpg"
        pixels = read_image(source).pixels[..., ::-1]
        cv2.imwrite(str(target), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        lines.append(f"![{image['name']}]({path.stem}/{target.name})")
    return "\n\n".join(lines) + "\n"
