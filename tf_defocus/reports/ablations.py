"""What an ablation gave, beside the paper's table: mean, spread and order."""

import itertools

import numpy as np
from scipy import stats

from tf_defocus.markdown_table import markdown_table
from tf_defocus.reports import paper_results


def printed(ablation):
    """The paper's PSNR and parameters of an ablation's variants.

    Args:
        ablation: `configs.ablations.Ablation`.

    Returns:
        dict, variant name -> dict of `psnr` [dB] and, if it is printed,
        `parameters_m`; of those variants that the paper has.
    """
    if not ablation.paper:
        return {}
    (table,) = paper_results.find_tables(ablation.paper, number=ablation.table)
    columns = [c for c in ("psnr", "parameters_m") if c in table.columns]
    return {
        v.name: {column: table.cell(v.method, column) for column in columns}
        for v in ablation.variants
        if v.method
    }


def score_table(results, paper=None):
    """Markdown: per variant the mean PSNR, its spread over seeds, and every seed's.

    Args:
        results: dict, variant -> list of scores, one dict per seed.
        paper: dict of `printed`, or None.

    Returns:
        str. The spread is the sample standard deviation; none for one seed.
    """
    paper = paper or {}
    head = "variant|PSNR [dB]|spread [dB]|gain [dB]|seeds|parameters [M]|paper: PSNR"
    lines = []
    for name, rows in results.items():
        psnr = np.array([row["validation_psnr"] for row in rows])
        gain = np.mean([row["validation_gain"] for row in rows])
        spread = f"{psnr.std(ddof=1):.3f}" if len(psnr) > 1 else ""
        each = ", ".join(f"{value:.2f}" for value in psnr)
        theirs = [f"{value:.2f}" for value in paper.get(name, {}).values()] + [""] * 2
        numbers = [f"{psnr.mean():.2f}", spread, f"{gain:+.2f}"]
        parameters = f"{rows[0]['parameters_m']:.2f}"
        lines.append([name, *numbers, each, parameters, *theirs[:2]])
    return markdown_table([*head.split("|"), "parameters"], lines)


def compare_order(results, paper):
    """Whether the variants stand in the paper's order.

    Args:
        results: dict, variant -> list of scores, one dict per seed.
        paper: dict of `printed`.

    Returns:
        dict: `rank_correlation` (Spearman's, of the means; None for fewer than three
        variants, or equal ones), and lists of (better, worse) by the paper, `same`,
        `reversed` by the mean over seeds, and `undecided`: those of both whose means
        differ by less than the larger spread over seeds.
    """
    names = [name for name in results if name in paper]
    ours = {n: np.array([row["validation_psnr"] for row in results[n]]) for n in names}
    theirs = {n: paper[n]["psnr"] for n in names}
    spread = {n: v.std(ddof=1) if len(v) > 1 else 0.0 for n, v in ours.items()}
    order = {"rank_correlation": None, "same": [], "reversed": [], "undecided": []}
    for one, other in itertools.combinations(names, 2):
        if theirs[one] == theirs[other]:
            continue
        pair = (one, other) if theirs[one] > theirs[other] else (other, one)
        difference = ours[pair[0]].mean() - ours[pair[1]].mean()
        order["same" if difference > 0 else "reversed"].append(pair)
        if abs(difference) < max(spread[one], spread[other]):
            order["undecided"].append(pair)
    means = [v.mean() for v in ours.values()]
    if len(set(means)) > 2:
        correlation = stats.spearmanr(means, list(theirs.values())).statistic
        order["rank_correlation"] = float(correlation)
    return order


def describe_order(order):
    """Sentences about what `compare_order` returned."""
    count = len(order["same"]) + len(order["reversed"])
    if not count:
        return "The paper has no order to compare with."
    verdict = "does not hold" if order["reversed"] else "holds"
    lines = [
        f"The paper's order {verdict}: {len(order['same'])} of {count} pairs of "
        "variants stand in it."
    ]
    if order["rank_correlation"] is not None:
        lines.append(f"Spearman's rank correlation: {order['rank_correlation']:.2f}.")
    for key, text in (
        ("reversed", "Better in the paper, not here:"),
        ("undecided", "Nearer to one another than the spread over seeds:"),
    ):
        if order[key]:
            pairs = "; ".join(f"{better} over {worse}" for better, worse in order[key])
            lines.append(f"{text} {pairs}.")
    return "\n".join(lines)


def page(ablation, recipe, results, finished, command, source):
    """The ablation as a page of Markdown.

    Args:
        ablation: `configs.ablations.Ablation`.
        recipe: `Recipe` that was trained, but for each variant's changes.
        results: dict, variant -> list of scores, one dict per seed.
        finished: (int, int), runs that are finished and runs in all.
        command: str, what gave the page.
        source: dict of `StoredArrays.source` of the training set and `examples` of the
            validation set.

    Returns:
        str.
    """
    paper = printed(ablation)
    title, notes = "Ablation", []
    if ablation.paper:
        (table,) = paper_results.find_tables(ablation.paper, number=ablation.table)
        title = f"{table.source} {table.title}, retrained"
        notes = [
            "The paper trains longer, on photographs (DPDD): its numbers are there for "
            "their order alone.",
            *([ablation.note] if ablation.note else []),
        ]
    lines = [
        f"# {title}",
        f"Made by\n\n    {command}",
        f"{recipe.model}, {recipe.num_steps} steps of {recipe.batch_size} crops of "
        f"{recipe.crop_size} px, rate {recipe.learning_rate:g}, "
        f"{recipe.decay} decay, on {source['train']} examples of {source['dataset']}; "
        f"PSNR on {source['validation']} whole validation examples, the mean over "
        "seeds; its spread is the standard deviation over seeds.",
        score_table(results, paper).rstrip(),
    ]
    if finished[0] < finished[1]:
        lines.insert(1, f"**Unfinished: {finished[0]} of {finished[1]} runs.**")
    else:
        lines.append(describe_order(compare_order(results, paper)))
        if not any(row["validation_gain"] > 0 for r in results.values() for row in r):
            lines.append(
                "**No run restores yet: none gains on its input, so the budget is too "
                "short to judge the paper's order by.**"
            )
    return "\n\n".join([*lines, *notes]) + "\n"
