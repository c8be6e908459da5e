"""Whose weights a file holds, where they are not those that were asked for."""

import math

from tf_defocus.conversion import assignments_of
from tf_defocus.conversion.author_files import FILES, official_tensors, read_tensors
from tf_defocus.models.named import list_models, network_class
from tf_defocus.models.plans import MAX_NUMBER, plan_model

_MOSTLY, _HARDLY = 0.8, 0.1  # of the names
_OF_KERAS = ("name", "trainable", "dtype")


def what_it_seems(checkpoints, model):
    """Says what a file that does not fit a network seems to be.

    Args:
        checkpoints: list of `Checkpoint`.
        model: the network of `plan_model` that was asked for.

    Returns:
        str, such as "these are ifan_dual's weights".
    """
    width = _fitting_width(checkpoints, model)
    if width:
        word = f"base_filters={width}"
        return f"these are {model.name}'s weights with {word}; add --set {word}"
    shares = {}  # of the names, by class; its other sizes only where it has some
    for name in _candidates(checkpoints, type(model)):
        kind = network_class(name)
        if shares.get(kind, 1) < _MOSTLY:
            continue
        plan = plan_model(name, variant="released")
        if _fits(checkpoints, plan):
            return f"these are {name}'s weights; give --model {name}"
        shares[kind] = max(_shared_names(checkpoints, plan), shares.get(kind, 0))
        width = _fitting_width(checkpoints, plan) if shares[kind] >= _MOSTLY else None
        if width:
            words = f"--model {name} --set base_filters={width}"
            return f"these are {name}'s weights, narrower or wider; give {words}"
    closest = max(shares, key=shares.get, default=None)
    if closest is None or shares[closest] < _HARDLY:
        return "it is none of the networks' that are known here"
    if shares[closest] >= _MOSTLY:
        return f"its names are those of {closest.__name__}, in another configuration"
    return f"{shares[closest]:.0%} of its names are those of {closest.__name__}"


def _candidates(checkpoints, asked):
    """Names of models whose authors save such files, those of the class asked first."""
    kinds = {checkpoint.kind for checkpoint in checkpoints}
    rows = {name: FILES.get(network_class(name)) for name in list_models()}
    names = [name for name, row in rows.items() if row and row.kind in kinds]
    return sorted(names, key=lambda name: network_class(name) is not asked)


def _arrays(checkpoints, model):
    """The tensors by this network's names; none if they cannot have such names."""
    try:
        return read_tensors(checkpoints, model)
    except ValueError:
        return {}


def _fits(checkpoints, model):
    try:
        official_tensors(checkpoints, model)
    except ValueError:
        return False
    return True


def _shared_names(checkpoints, model):
    names = {a.name for a in assignments_of(model)}
    found = set(_arrays(checkpoints, model))
    return len(names & found) / len(names | found)


def _fitting_width(checkpoints, model):
    """The `base_filters` with which the tensors fit; None if no width is enough."""
    config = model.get_config()
    words = {w: v for w, v in config.items() if w not in _OF_KERAS}
    for width in _widths(checkpoints, model, words.get("base_filters")):
        try:
            plan = plan_model(model.name, **{**words, "base_filters": width})
        except ValueError:  # no such network
            continue
        if _fits(checkpoints, plan):
            return width
    return None


def _widths(checkpoints, model, default):
    """Widths that the first tensor of another size suggests."""
    arrays = _arrays(checkpoints, model) if default else {}
    for a in assignments_of(model):
        ours = math.prod(a.variable.shape)
        theirs = math.prod(arrays[a.name].shape) if a.name in arrays else ours
        if ours != theirs:
            # Filters grow with the width once; filters of filters twice.
            for width in (default * theirs / ours, default * (theirs / ours) ** 0.5):
                if 1 <= width <= MAX_NUMBER and width == int(width):
                    yield int(width)
            return
