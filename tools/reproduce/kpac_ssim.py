"""Which SSIM gives the 0.812 that KPAC prints for the unprocessed DPDD test set.

    python tools/reproduce/kpac_ssim.py --dataset dpdd/full_8bit --manual_dir DPDD \\
        --output results/kpac_ssim

The usual SSIM gives 0.725, and KPAC's authors released no scoring code. Every candidate
is a protocol, `kpac` or `kpac_...`, that tools/evaluate.py takes: score under the
nearest one to compare SSIM with KPAC's tables.
"""

import pathlib

import numpy as np
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.evaluation import protocols
from tf_defocus.evaluation.evaluate import prepare
from tf_defocus.evaluation.examples import read_set
from tf_defocus.markdown_table import markdown_table

SET = commands.define_set_flags()
OUTPUT = flags.DEFINE_string("output", None, "Folder for results.", required=True)


def mean_similarities(examples):
    """Protocol name -> mean SSIM of the unprocessed photographs.

    Args:
        examples: iterable of `evaluation.examples.Example` with "blurred".

    Raises:
        ValueError: if there is no example.
    """
    names = [name for name in protocols.PROTOCOLS if name.startswith("kpac")]
    rows = []
    for example in examples:
        pair = example.views["blurred"], example.sharp
        rows.append(
            [
                protocols.score(*(prepare(i, protocol) for i in pair), protocol.name)[
                    "ssim"
                ]
                for protocol in map(protocols.get_protocol, names)
            ]
        )
    if not rows:
        raise ValueError("There is no image to score")
    return dict(zip(names, np.mean(rows, axis=0).tolist()))


def similarity_table(similarities):
    """Markdown: the candidates, the nearest to the printed value first."""
    printed = protocols.KPAC_SSIM
    ordered = sorted(similarities.items(), key=lambda row: abs(row[1] - printed))
    lines = [
        [name, f"{value:.3f}", f"{value - printed:+.3f}"] for name, value in ordered
    ]
    return markdown_table(["protocol", "SSIM", f"less {printed}"], lines)


def main(_):
    """Scores the input under every candidate, prints and writes the table."""
    examples, name = read_set(*(flag.value for flag in SET))
    text = f"{name}, unprocessed\n\n{similarity_table(mean_similarities(examples))}"
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    whole_files.write_text(output / "table.md", text)
    print(text, end="")


if __name__ == "__main__":
    commands.run(main)
