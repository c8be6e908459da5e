"""Networks in stages on tiles: encoded tile by tile, transformed, decoded tile by tile.

`transform` needs the features of the whole photograph, but not all at once: a network
that states `transform_halos` has it done in strips of rows, each of its steps for the
whole photograph before the next, so that what a step needs besides its input and its
output is never larger than for one strip.
"""

import numpy as np

from tf_defocus.restoration import tile_arrays, tiling

# Fewer pixels of the features go through `transform` at once: at 1/8 of the size those
# of 16 megapixels do. More go in strips, whose margins are computed twice.
WHOLE_FEATURES = 250_000


def restore_in_phases(engine, views, tiles, progress):
    """Restores a photograph that is tiled.

    Args:
        engine: `engines.Engine` of a network that works in stages.
        views: dict, name -> (height, width, channels), padded.
        tiles: list of (rows, columns), `tiling.Window` each.
        progress: function of a list that yields its items and counts them.

    Returns:
        (height, width, 3), like a view.
    """
    features = _encode(engine, views, tiles, progress)
    for _ in progress([None]):
        features = transform(engine, features)
    result = tile_arrays.empty_like(views)
    stride = engine.network.feature_stride
    for tile in progress(tiles):
        rows, columns = tile_arrays.region(tile, stride)
        part = features[:, rows, columns]
        inputs = tile_arrays.read(views, tile)
        deblurred = engine("decode", inputs=inputs, features=part)
        tile_arrays.keep(result, tile, deblurred)
    return result


def _encode(engine, views, tiles, progress):
    """The features of all tiles, (1, height / stride, width / stride, channels)."""
    stride = engine.network.feature_stride
    height, width, _ = next(iter(views.values())).shape
    features = None
    for tile in progress(tiles):
        part = engine("encode", inputs=tile_arrays.read(views, tile))
        if features is None:
            shape = (1, height // stride, width // stride, part.shape[-1])
            features = np.empty(shape, part.dtype)
        outer, inner = (
            tile_arrays.region(tile, stride, inner) for inner in (False, True)
        )
        features[:, inner[0], inner[1]] = tile_arrays.inside(part, outer, inner)
    return features


def transform(engine, features):
    """The features of a photograph transformed, in strips if they are many.

    Args:
        engine: see `restore_in_phases`.
        features: (1, height / stride, width / stride, channels).

    Returns:
        (1, height / stride, width / stride, other channels).
    """
    _, height, width, _ = features.shape
    halos = engine.network.transform_halos
    if height * width <= WHOLE_FEATURES or not halos:
        return engine("transform", features=features)
    for index, halo in enumerate(halos):
        features = _transform_strips(engine, f"transform_step/{index}", features, halo)
    return features


def _transform_strips(engine, stage, features, halo):
    """One step, strip by strip."""
    _, height, width, _ = features.shape
    rows = max(WHOLE_FEATURES // width, 4 * halo)
    means = {}
    if engine.network.transform_pools:
        mean = features.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
        means["means"] = mean.astype(features.dtype)
    result = None
    for strip in tiling.plan_windows(height, rows, halo, 1):
        part = features[:, strip.start : strip.stop]
        part = engine(stage, features=part, **means)
        if result is None:
            shape = (1, height, width, part.shape[-1])
            result = np.empty(shape, part.dtype)
        first = strip.inner_start - strip.start
        kept = slice(strip.inner_start, strip.inner_stop)
        result[:, kept] = part[:, first : first + kept.stop - kept.start]
    return result
