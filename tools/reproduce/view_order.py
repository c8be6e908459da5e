"""How often the order of left and right views is told, on rendered examples.

    python tools/reproduce/view_order.py --num_examples 40 [--photographs bsds500/val]

Every example is judged in its own order and exchanged; both are always right, wrong or
unknown together, since exchanging the views negates every disparity. Prints the counts,
and how often a set of five photographs is judged right by the majority.

With the photographs of BSDS500's val: 29 right, 3 wrong (all of them blurred in front
of focus only), 8 unknown (nearly all in focus); sets of five are right in 96.5 % and
wrong in 0.9 %.
"""

import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation.rendered import render_examples
from tf_defocus.markdown_table import markdown_table
from tf_defocus.restoration.view_order import VERDICTS, check_view_order
from tf_defocus.synthesis import textures

NUM_EXAMPLES = flags.DEFINE_integer("num_examples", 40, "Rendered.", lower_bound=1)
SIZE = flags.DEFINE_integer("size", 256, "Of an example [px].", lower_bound=64)
PHOTOGRAPHS = flags.DEFINE_string("photographs", None, "Folder of sharp photographs.")
SET_SIZE = 5
NUM_SETS = 10_000


def judge(examples):
    """(examples, 2) int: per example as it is and exchanged, an index of VERDICTS."""
    judged = []
    for example in examples:
        views = example.views["left"], example.views["right"]
        orders = (check_view_order(*v, warn=False) for v in (views, views[::-1]))
        judged.append([VERDICTS.index(order.verdict) for order in orders])
    return np.array(judged)


def majority_rate(verdicts, set_size=SET_SIZE, num_sets=NUM_SETS):
    """How often random sets hold more right verdicts than wrong ones.

    Args:
        verdicts: (examples,) indices of VERDICTS, of views in their right order.
        set_size, num_sets: int.

    Returns:
        Three shares: right, wrong, undecided.
    """
    rng = np.random.default_rng(0)
    drawn = rng.choice(verdicts, (num_sets, set_size))
    votes = (drawn == 0).sum(axis=1) - (drawn == 1).sum(axis=1)
    return tuple(float(np.mean(test)) for test in (votes > 0, votes < 0, votes == 0))


def main(_):
    """Judges and prints."""
    photographs = ()
    if PHOTOGRAPHS.value:
        photographs = textures.find_photographs(PHOTOGRAPHS.value)
        if not photographs:
            raise ValueError(f"{PHOTOGRAPHS.value} holds no photograph")
    examples = render_examples(NUM_EXAMPLES.value, SIZE.value, photographs, exact=0)
    judged = judge(examples)
    rows = [
        [title, *map(str, np.bincount(column, minlength=len(VERDICTS)))]
        for title, column in zip(("in order", "exchanged"), judged.T)
    ]
    print(markdown_table(["views", *VERDICTS], rows), end="")
    right, wrong, undecided = majority_rate(judged[:, 0])
    print(
        f"sets of {SET_SIZE}: {100 * right:.1f} % right, {100 * wrong:.1f} % wrong, "
        f"{100 * undecided:.1f} % undecided"
    )


if __name__ == "__main__":
    commands.run(main)
