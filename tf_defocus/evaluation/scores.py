"""The scores of an evaluation as means, JSON and Markdown."""

import dataclasses
import json
import math
import pathlib

import numpy as np

from tf_defocus import whole_files
from tf_defocus.metrics import rmse_rel

INPUT = "input"  # the row of the unprocessed view
_DERIVED = ("num_images", "methods", "subsets", "images")  # of `scores.json`
COC_THRESHOLD = 1.0  # [px], mean |circle of confusion| of the defocused subset


@dataclasses.dataclass(frozen=True)
class EvaluationReport:
    """Scores of several methods on one set of examples.

    Attributes:
        setting: dict, what was scored and how: protocol, set, versions.
        images: list of dict, per example: `name`, `file_size`, `scored_size` (height,
            width), `file_dtype`, `mean_coc` [px] or None, and `scores`, method ->
            score name -> float.
    """

    setting: dict
    images: list

    @classmethod
    def read(cls, folder):
        """The report that `save` left in a folder.

        Raises:
            ValueError: if there is none, or it is no report.
        """
        path = pathlib.Path(folder) / "scores.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            setting = {k: v for k, v in content.items() if k not in _DERIVED}
            return cls(setting, [_with_infinity(image) for image in content["images"]])
        except (OSError, ValueError, AttributeError, KeyError) as error:
            raise ValueError(
                f"{path} cannot be read as scores of tools/evaluate.py: {error!r}"
            ) from error

    def with_rows_of(self, earlier):
        """This report with the rows of an earlier one that it has not itself.

        Args:
            earlier: `EvaluationReport` on the same images, scored alike; `commands` of
                its setting, a list of str if any, is put before this one's.

        Returns:
            `EvaluationReport`; the earlier rows stand after the input.

        Raises:
            ValueError: if setting, images or scores of the input differ.
        """
        setting = json.loads(json.dumps(self.setting))
        commands = setting.pop("commands", [])
        wrong = [k for k in setting if setting[k] != earlier.setting.get(k)]
        wrong += [] if self._inputs() == earlier._inputs() else ["images"]
        if wrong:
            raise ValueError(
                "Earlier rows are kept where set, protocol and versions are the same. "
                f"They differ in: {', '.join(wrong)}; give another --output"
            )
        images = []
        for old, new in zip(earlier.images, self.images):
            kept = {k: v for k, v in old["scores"].items() if k not in new["scores"]}
            first = {INPUT: new["scores"][INPUT]}
            images.append({**new, "scores": {**first, **kept, **new["scores"]}})
        before = earlier.setting.get("commands", [])
        commands = [c for c in before if c not in commands] + commands
        return EvaluationReport({**self.setting, "commands": commands}, images)

    def _inputs(self):
        rows = [(i["name"], i["scores"][INPUT]) for i in self.images]
        return [(n, {k: round(v, 6) for k, v in row.items()}) for n, row in rows]

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
            if self.setting.get("protocol", {}).get("name") == "k3dn":
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
        """All of it as text; an infinite score is the string "inf"."""
        content = {
            **self.setting,
            "num_images": len(self.images),
            "methods": self.summary(),
            "subsets": self.subsets(),
            "images": self.images,
        }
        return json.dumps(_without_infinity(content), indent=1, allow_nan=False) + "\n"

    def to_markdown(self):
        """A table per set and subset: one row per method, the input first."""
        protocol = self.setting["protocol"]["name"]
        title = f"{self.setting['dataset']}, {len(self.images)} images"
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
            ("scores.json", self.to_json()),
            ("table.md", self.to_markdown()),
        ):
            whole_files.write_text(folder / name, text)


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
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
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
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
