"""What the choice of sizes is calibrated on, and how well each way to choose does.

For a cell of the grid with changes D_s (each enlarged to full size) and the error T =
sharp - blurred, trust t leaves the squared error

    |T - sum_s t_s D_s|^2 = t' A t - 2 t' b + e,
    A = <D_s, D_r>,  b = <D_s, T>,  e = <T, T>

so A, b and e of a photograph are all that calibration needs. Cells where the sharp
photograph has no fine detail are left out: it may be out of focus there itself.
"""

import itertools

import cv2
import keras
import numpy as np
from keras import ops

from tf_defocus.images import levels
from tf_defocus.restoration import scale_evidence
from tf_defocus.restoration.scale_blending import enlarge
from tf_defocus.restoration.scale_evidence import CELL, MAX_SCALES, NUM_BANDS, halve

EDGES = (0, 2, 8, 20, 40, 64, 129)  # [px], of the widths that count alike
_FINE_EDGES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 20, 26, 32, 40, 52, 64, 96, 129)
DETAIL = 2 / 255  # of the finest octave, where a photograph counts as sharp
_DETAIL_SIGMA = 12.0  # [px], over which it is averaged
_CELLS_PER_RANGE = 2500  # of one photograph
UNSEEN = 1e-4  # squared error of three colours, 1.5 of 255: harm below it counts little
_FEWEST = 150
_BLOCK = NUM_BANDS + MAX_SCALES + 2 * (MAX_SCALES - 1)  # features of one window
_HIDDEN = 32
_WIDTH_WEIGHT = 0.03  # of the error in octaves of the width
_WITHOUT = 0.2  # of the cells are seen again with fewer sizes


def has_detail(sharp):
    """(height, width) bool: where the photograph is sharp, and not smooth."""
    grey = scale_evidence.grey(levels.to_float(sharp))
    energy = scale_evidence.octave_energy(grey)
    return np.sqrt(cv2.GaussianBlur(energy, (0, 0), _DETAIL_SIGMA)) > DETAIL


def cells(example, restored, rng):
    """Evidence and errors of cells of one photograph, as many of each range of widths.

    Args:
        example: dict of `blurred`, `sharp`, `coc`, of `wide_defocus`; sides divide by
            64.
        restored: list of four arrays, the restorations at 1, 1/2, 1/4 and 1/8.
        rng: numpy.random.Generator.

    Returns:
        dict of arrays: `features`, `products` (cells, 4, 4), `projections` (cells, 4),
        `errors`, `widths` [px] and `weights` (cells,), which make every range of
        widths of every photograph count alike.
    """
    differences = changes(example["blurred"], restored)
    evidence, _ = scale_evidence.gather(
        example["blurred"], restored[0], differences[1:]
    )
    full_size = [
        enlarge(change, 1 << index) if index else change
        for index, change in enumerate(differences)
    ]
    statistics = cell_statistics(example, full_size)
    width, good = widths_and_detail(example)
    chosen, weights = [], []
    for low, high in itertools.pairwise(EDGES):
        here = np.flatnonzero((width >= low) & (width < high) & good)
        if len(here) < _FEWEST:
            continue
        taken = rng.choice(here, min(_CELLS_PER_RANGE, len(here)), replace=False)
        mean = statistics["errors"].ravel()[here].mean() + UNSEEN
        weights.append(np.full(len(taken), _CELLS_PER_RANGE / len(taken) / mean))
        chosen.append(taken)
    if not chosen:
        return None
    chosen = np.concatenate(chosen)
    found = {"features": evidence.features(), **statistics, "widths": width}
    picked = {
        name: values.reshape(-1, *values.shape[2:])[chosen].astype(np.float32)
        for name, values in found.items()
    }
    return {**picked, "weights": np.concatenate(weights).astype(np.float32)}


def changes(blurred, restored):
    """What was changed at 1, 1/2, ... of the size, each at that size.

    Args:
        blurred: (height, width, 3), the photograph.
        restored: list of its restorations at 1, 1/2, ...

    Returns:
        list of (height / s, width / s, 3) float32.
    """
    reduced, differences = levels.to_float(blurred), []
    for image in restored:
        differences.append(levels.to_float(image) - reduced)
        reduced = halve(reduced)
    return differences


def widths_and_detail(example):
    """(rows, columns) float32 [px] of the blur, and bool of what counts, per cell."""
    detail = has_detail(example["sharp"]).astype(np.float32)
    return _on_cells(example["coc"]), _on_cells(detail) > 0.5


def cell_statistics(example, enlarged):
    """A, b and e of every cell, each averaged over its neighbours.

    Args:
        example: as of `cells`.
        enlarged: list of (height, width, 3) float32, the changes D_s.

    Returns:
        dict of (rows, columns, ...) float32: `products`, `projections`, `errors`.
    """
    target = levels.to_float(example["sharp"]) - levels.to_float(example["blurred"])
    shape = (target.shape[0] // CELL, target.shape[1] // CELL, len(enlarged))
    products = np.empty((*shape, len(enlarged)), np.float32)
    projections = np.empty(shape, np.float32)
    for i, one in enumerate(enlarged):
        projections[..., i] = _mean_product(one, target)
        for j in range(i, len(enlarged)):
            product = _mean_product(one, enlarged[j])
            products[..., i, j] = products[..., j, i] = product
    errors = _mean_product(target, target)
    return {"products": products, "projections": projections, "errors": errors}


def _mean_product(one, other):
    return cv2.GaussianBlur(_on_cells((one * other).sum(axis=-1)), (0, 0), 1.0)


def _on_cells(values):
    return halve(halve(np.ascontiguousarray(values, np.float32)))


def with_fewer_scales(data, count):
    """The cells as they would be with the first `count` sizes only."""
    features = data["features"].copy()
    nothing = np.log(scale_evidence.FLOOR)
    for start in range(0, features.shape[1], _BLOCK):
        pooled = start + NUM_BANDS + MAX_SCALES
        for index in range(count, MAX_SCALES):
            features[:, start + NUM_BANDS + index] = nothing
            features[:, pooled + 2 * index - 1] = 0
            if index < MAX_SCALES - 1:
                features[:, pooled + 2 * index] = nothing
                features[:, pooled + 2 * index + 1] = 0
    products, projections = data["products"].copy(), data["projections"].copy()
    products[:, count:] = products[:, :, count:] = projections[:, count:] = 0
    changed = {"features": features, "products": products, "projections": projections}
    return {**data, **changed, "scales": np.full(len(features), count)}


def columns_of(evidence):
    """Indices of the features of a kind of evidence: spectrum, network or both."""
    spectrum = np.arange(scale_evidence.NUM_FEATURES) % _BLOCK < NUM_BANDS
    kept = {"spectrum": spectrum, "network": ~spectrum, "both": spectrum | True}
    return np.flatnonzero(kept[evidence])


def fit(parts, evidence="both", epochs=12, seed=0):
    """Fits the choice to the cells of many photographs.

    Args:
        parts: list of dicts of `cells`.
        evidence: "spectrum", "network" or "both"; what is not used gets no weight.
        epochs, seed: int.

    Returns:
        dict of arrays as `scale_choice.load_weights` gives.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    data = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
    data["scales"] = np.full(len(data["widths"]), MAX_SCALES)
    mean, deviation = data["features"].mean(axis=0), data["features"].std(axis=0)
    again = rng.permutation(len(data["widths"]))
    again = again[: int(_WITHOUT * len(again))]
    fewer = [
        with_fewer_scales({k: v[rows] for k, v in data.items()}, count)
        for count, rows in enumerate(np.array_split(again, MAX_SCALES - 1), start=1)
    ]
    data = {k: np.concatenate([data[k], *(part[k] for part in fewer)]) for k in data}
    columns = columns_of(evidence)
    inputs = ((data["features"] - mean) / deviation)[:, columns]
    model = _model(len(columns))
    batch = 4096
    schedule = keras.optimizers.schedules.CosineDecay(
        5e-3, epochs * (len(inputs) // batch + 1)
    )
    model.compile(keras.optimizers.Adam(schedule), loss=_loss)
    model.fit(inputs, _packed(data), batch, epochs, verbose=0)
    arrays = model.get_weights()
    first = np.zeros((scale_evidence.NUM_FEATURES, _HIDDEN), np.float32)
    first[columns] = arrays[0]
    weights = {"mean": mean, "deviation": deviation, "kernel_0": first}
    for index, name in enumerate(
        ("bias_0", "kernel_1", "bias_1", "kernel_2", "bias_2")
    ):
        weights[name] = arrays[1 + index]
    return {name: np.asarray(v, np.float32) for name, v in weights.items()}


def _model(num_inputs):
    layers, l2 = keras.layers, keras.regularizers.L2(1e-4)
    hidden = {"activation": "relu", "kernel_regularizer": l2}
    return keras.Sequential(
        [
            keras.Input((num_inputs,)),
            layers.GaussianNoise(0.1),
            layers.Dense(_HIDDEN, **hidden),
            layers.Dropout(0.05),
            layers.Dense(_HIDDEN, **hidden),
            layers.Dropout(0.05),
            layers.Dense(2 + MAX_SCALES, kernel_regularizer=l2),
        ]
    )


def _packed(data):
    """What the loss needs of every cell, in one row."""
    count = len(data["widths"])
    width = np.log2(np.maximum(data["widths"], 1))
    columns = [data["products"].reshape(count, -1), data["projections"]]
    columns += [data["errors"], width, data["weights"], data["scales"]]
    return np.column_stack(columns).astype(np.float32)


def _loss(packed, outputs):
    """The weighted error that is left, and that of the width in octaves."""
    n = MAX_SCALES
    products = ops.reshape(packed[:, : n * n], (-1, n, n))
    projections = packed[:, n * n : n * n + n]
    errors, width, weights, scales = (packed[:, n * n + n + k] for k in range(4))
    missing = ops.arange(1 + n, dtype="float32") > scales[:, None]
    scores = ops.where(missing, -1e9, outputs[:, : 1 + n])
    trust = ops.softmax(scores)[:, 1:]
    left = ops.einsum("ni,nij,nj->n", trust, products, trust) + errors
    left -= 2 * ops.sum(trust * projections, axis=-1)
    return weights * left + _WIDTH_WEIGHT * ops.abs(outputs[:, -1] - width)


def by_width(parts, widths):
    """Trust in each size as a function of the width, by least squares per width.

    Args:
        parts: list of dicts of `cells`, with any number of sizes.
        widths: list of (cells,) [px], of each.

    Returns:
        A function of widths (cells,) [px] that returns trust (cells, scales).
    """
    count, rows = parts[0]["projections"].shape[1], []
    for low, high in itertools.pairwise(_FINE_EDGES):
        products, projections = 1e-9 * np.eye(count), np.zeros(count)
        for part, width in zip(parts, widths):
            here = (width >= low) & (width < high)
            weights = part["weights"][here]
            products += np.einsum("n,nij->ij", weights, part["products"][here])
            projections += weights @ part["projections"][here]
        rows.append(np.linalg.solve(products, projections))
    return lambda width: np.array(rows)[np.digitize(width, _FINE_EDGES[1:-1])]


def left_over(data, trust):
    """The squared error of every cell with a trust (cells, scales)."""
    count = trust.shape[1]
    products = data["products"][:, :count, :count]
    left = np.einsum("ni,nij,nj->n", trust, products, trust) + data["errors"]
    return left - 2 * (trust * data["projections"][:, :count]).sum(axis=-1)


def gains(errors, left, widths, edges=EDGES, fewest=100):
    """Gain in every range of widths.

        10 log10(sum of errors / sum of what is left) [dB]

    Args:
        errors, left: (pixels,) squared errors before and after.
        widths: (pixels,) [px].
        edges: of the ranges.
        fewest: int, pixels below which a range has no gain.

    Returns:
        (ranges,) float64 [dB]; NaN where there are too few.
    """
    found = []
    for low, high in itertools.pairwise(edges):
        here = (widths >= low) & (widths < high)
        ratio = errors[here].sum() / max(left[here].sum(), 1e-12) if here.any() else 0
        found.append(10 * np.log10(ratio) if here.sum() >= fewest else np.nan)
    return np.array(found)
