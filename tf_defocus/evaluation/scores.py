"""The scores of an evaluation as means, JSON and Markdown."""

import dataclasses
import json
import math
import pathlib

import numpy as np

from tf_defocus import whole_files
from tf_defocus.markdown_table import markdown_table
from tf_defocus.metrics import COC_THRESHOLD, rmse_rel

INPUT = "input"  # the row of the unprocessed view
FILE = "scores.json"


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of several methods on one set of images; all else is derived from them.

    Attributes:
        setting: dict, what was scored and how: protocol, set, versions, commands.
        images: list of dict, per image: `name`, `file_size`, `scored_size` (height,
            width), `file_dtype`, `mean_coc` [px] or None, and `scores`, method ->
            score name -> float.
        folders: tuple of paths that it was read from, with the pictures.
    """

    setting: dict
    images: list
    folders: tuple = ()

    @classmethod
    def read(cls, path):
        """The scores of a `scores.json`, or of the folder that holds it.

        Raises:
            ValueError: if there is none, or it holds no scores.
        """
        path = pathlib.Path(path)
        path = path / FILE if path.is_dir() else path
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            images = [_with_infinity(image) for image in content["images"]]
            inputs = [image["scores"][INPUT] for image in images]
            scores = cls(dict(content["setting"]), images, (path.parent,))
            scores.protocol, scores.dataset  # noqa: B018
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path} cannot be read as scores of tools/evaluate.py ({error!r}); "
                "evaluate again"
            ) from error
        if not inputs:
            raise ValueError(f"{path} holds no image; evaluate again")
        return scores

    @property
    def dataset(self):
        """str, the set's name."""
        return self.setting["dataset"]

    @property
    def protocol(self):
        """str, the protocol's name."""
        return self.setting["protocol"]["name"]

    @property
    def noise_sigma(self):
        """float, of the noise added to the views [of 255]."""
        return float(self.setting.get("noise_sigma", 0.0))

    @property
    def commands(self):
        """list of str, the commands that made the scores."""
        return self.setting.get("commands", [])

    def joined(self, other):
        """These scores with the rows of others on the same images, scored alike.

        Raises:
            ValueError: if setting, images or scores of the input differ, or a method
                stands in both.
        """
        ours, theirs = (
            json.loads(json.dumps({**one.setting, "commands": []}))
            for one in (self, other)
        )
        wrong = [k for k in ours | theirs if ours.get(k) != theirs.get(k)]
        if not wrong and not _same_inputs(self.images, other.images):
            wrong = ["images"]
        if wrong:
            raise ValueError(
                f"{self.dataset}: scores are joined where set, protocol and versions "
                f"are the same. They differ in: {', '.join(wrong)}"
            )
        images = []
        for one, more in zip(self.images, other.images):
            added = {k: v for k, v in more["scores"].items() if k != INPUT}
            twice = set(added) & set(one["scores"])
            if twice:
                raise ValueError(f"{self.dataset}: twice scored: {', '.join(twice)}")
            images.append({**one, "scores": one["scores"] | added})
        commands = [*self.commands, *other.commands]
        setting = {**self.setting, "commands": commands}
        return Scores(setting, images, (*self.folders, *other.folders))

    def rows(self):
        """dict, method -> score name -> mean over the images, the input first."""
        rows = {}
        for method, row in self.summary().items():
            relative = {k: row[k] for k in ("rmse_rel",) if k in row}
            rows[method] = row["mean"] | relative
        return rows

    def summary(self, images=None):
        """Means over all images (or those given).

        Returns:
            dict, method -> dict: `mean` (score name -> float), and for all but the
            input `gain`, mean difference from the input per score, and `worst_gain`,
            the smallest PSNR difference of one image [dB]; None where the input is
            perfect. Under the protocol `k3dn` also `rmse_rel`, of the mean PSNR.
        """
        images = self.images if images is None else images
        if not images:
            raise ValueError("No image to average over")
        summary = {}
        for method in images[0]["scores"]:
            rows = [image["scores"][method] for image in images]
            summary[method] = {"mean": _means(rows)}
            if self.protocol == "k3dn":
                psnr = summary[method]["mean"]["psnr"]
                summary[method]["rmse_rel"] = rmse_rel(psnr)
            if method != INPUT:
                inputs = [image["scores"][INPUT] for image in images]
                gains = [_differences(row, base) for row, base in zip(rows, inputs)]
                finite = all(math.isfinite(v) for gain in gains for v in gain.values())
                summary[method]["gain"] = _means(gains) if finite else None
                worst = min(gain["psnr"] for gain in gains) if finite else None
                summary[method]["worst_gain"] = worst
        return summary

    def subsets(self):
        """Summary of the defocused images, where circles of confusion are known.

        Returns:
            dict, description -> dict with `num_images` and `methods`, as `summary`.
        """
        if any(image["mean_coc"] is None for image in self.images):
            return {}
        chosen = [i for i in self.images if i["mean_coc"] > COC_THRESHOLD]
        methods = self.summary(chosen) if chosen else {}
        name = f"mean |CoC| above {COC_THRESHOLD:g} px"
        return {name: {"num_images": len(chosen), "methods": methods}}

    def to_json(self):
        """Setting and images as text; an infinite score is the string "inf"."""
        content = {"setting": self.setting, "images": self.images}
        return json.dumps(_without_infinity(content), indent=1, allow_nan=False) + "\n"

    def to_markdown(self):
        """A table per set and subset: one row per method, the input first."""
        protocol = self.protocol
        title = f"{self.dataset}, {len(self.images)} images"
        parts = [f"{title}, protocol {protocol}\n\n{_table(self.summary())}"]
        for name, subset in self.subsets().items():
            title = f"{name}: {subset['num_images']} images"
            table = _table(subset["methods"]) if subset["methods"] else ""
            parts.append(f"{title}, protocol {protocol}\n\n{table}".rstrip() + "\n")
        return "\n".join(parts)

    def save(self, folder):
        """Writes `scores.json` and `table.md` into an existing folder."""
        folder = pathlib.Path(folder)
        for name, text in (
            (FILE, self.to_json()),
            ("table.md", self.to_markdown()),
        ):
            whole_files.write_text(folder / name, text)


def _same_inputs(images, others):
    """Whether both list the same images, whose unprocessed views score alike."""
    if [i["name"] for i in images] != [i["name"] for i in others]:
        return False
    for image, other in zip(images, others):
        ours, theirs = image["scores"][INPUT], other["scores"][INPUT]
        if ours.keys() != theirs.keys():
            return False
        if not all(math.isclose(ours[k], theirs[k], rel_tol=1e-5) for k in ours):
            return False
    return True


def _means(rows):
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _differences(row, base):
    """Per score row - base; NaN where both are infinite."""
    with np.errstate(invalid="ignore"):
        return {name: float(np.subtract(row[name], base[name])) for name in row}


def _without_infinity(value):
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    return "inf" if isinstance(value, float) and math.isinf(value) else value


def _with_infinity(value):
    if isinstance(value, dict):
        return {key: _with_infinity(item) for key, item in value.items()}
    return math.inf if value == "inf" else value


def _table(summary):
    """Markdown rows of a summary."""
    decimals = {"psnr": 2, "ssim": 4, "mae": 4, "mse": 6, "lpips": 4}
    titles = {"psnr": "PSNR [dB]"}
    names = list(summary[INPUT]["mean"])
    heads = [titles.get(name, name.upper()) for name in names]
    heads += ["RMSE_rel"] * ("rmse_rel" in summary[INPUT])
    heads = ["", *heads, "gain [dB]", "worst gain [dB]"]
    lines = []
    for method, row in summary.items():
        cells = [f"{row['mean'][name]:.{decimals[name]}f}" for name in names]
        if "rmse_rel" in row:
            cells.append(f"{row['rmse_rel']:.4f}")
        gain, worst = row.get("gain"), row.get("worst_gain")
        cells += [
            f"{gain['psnr']:+.2f}" if gain else "",
            f"{worst:+.2f}" if gain else "",
        ]
        lines.append([method, *cells])
    return markdown_table(heads, lines)
