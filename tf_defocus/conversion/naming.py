"""Where a checkpoint keeps the tensors of a network, and what their names begin with.

The authors' programs save a state dict as it is or inside another dict, beside the
state of the optimizer, and wrappers such as `DataParallel` put a word before each name.
"""

import itertools
import re
from collections.abc import Mapping

# Of two that fit alike, the one that the authors' own tests load.
_PREFERRED = ("params_ema", "params", "state_dict")
_MAX_DEPTH, _MAX_DICTS = 3, 24
_SAMPLES = 8
_ENOUGH = 0.3
_SHOWN = 10


def find_tensors(content, wanted):
    """The dict inside a checkpoint whose names fit a network best.

    Args:
        content: what a checkpoint holds: nested dicts of tensors and other things.
        wanted: iterable of str, the names that the network has.

    Returns:
        (path, strip, add, arrays): the keys that lead to the dict, the beginning to
        take off each name and the one to put in its place, and the tensors under their
        new names; path and arrays are empty if it holds no tensor.
    """
    wanted = set(wanted)
    best, best_rank = ((), "", "", {}), (-1, 0, 0)
    for path, tensors in _dicts_of_tensors(content):
        strip, add = find_renaming(tensors, wanted)
        arrays = renamed(tensors, strip, add)
        favour = _PREFERRED.index(path[-1]) if _is_preferred(path) else len(_PREFERRED)
        rank = len(wanted & set(arrays)), -favour, -len(path)
        if rank > best_rank:
            best, best_rank = (path, strip, add, arrays), rank
    return best


def find_renaming(names, wanted):
    """What to take off the names, and put before them, so that most are wanted.

    Args:
        names: iterable of str.
        wanted: iterable of str.

    Returns:
        (strip, add), both "" if the names are best as they are.
    """
    names, wanted = set(names), set(wanted)
    by_tail = {}
    for name in names:
        by_tail.setdefault(_tail(name), []).append(name)
    candidates = {("", "")}
    for target in sorted(wanted)[:: max(1, len(wanted) // _SAMPLES)]:
        alike = by_tail.get(_tail(target))
        if alike:
            closest = max(alike, key=lambda name: _shared_end(name, target))
            candidates.add(_different_beginnings(closest, target))

    def rank(candidate):
        found = sum(_renamed(name, *candidate) in wanted for name in names)
        return found, -len(candidate[0]) - len(candidate[1])

    best = max(sorted(candidates), key=rank)
    needed = _ENOUGH * min(len(names), len(wanted))  # a few names are alike by chance
    return best if rank(best)[0] >= needed else ("", "")


def renamed(arrays, strip, add):
    """The same dict under names that begin otherwise."""
    return {_renamed(name, strip, add): array for name, array in arrays.items()}


def cure(arrays, wanted):
    """What to do with a dict of tensors so that its names fit, in words.

    Returns:
        str such as "unwrap ['state_dict'] and strip 'module.'"; "" if nothing helps.
    """
    path, strip, add, found = find_tensors(arrays, wanted)
    if len(set(found) & set(wanted)) <= len(set(arrays) & set(wanted)):
        return ""
    steps = ["unwrap " + "".join(str([key]) for key in path)] if path else []
    steps += [f"strip {strip!r}"] if strip else []
    steps += [f"put {add!r} before each name"] if add else []
    return " and ".join(steps)


def flattened(content):
    """Yields the full name and the array of every tensor in nested dicts."""
    for path, tensors in _dicts_of_tensors(content):
        for name, array in tensors.items():
            yield "/".join((*path, name)), array


def listing(names):
    """At most ten names, and how many more there are."""
    shown = [str(name)[:100] for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{shown}{more}" if shown else "none"


def _dicts_of_tensors(content, path=()):
    if not isinstance(content, Mapping):
        return
    items = [(k, v) for k, v in content.items() if isinstance(k, str)]
    tensors = {key: value for key, value in items if hasattr(value, "shape")}
    if tensors:
        yield path, tensors
    if len(path) < _MAX_DEPTH:
        inner = [(k, v) for k, v in items if isinstance(v, Mapping)]
        for key, value in inner[:_MAX_DICTS]:
            yield from _dicts_of_tensors(value, (*path, key))


def _is_preferred(path):
    return bool(path) and path[-1] in _PREFERRED


def _tail(name):
    """The last two parts of a name, by which its like is found."""
    return tuple(re.split(r"[./]", name)[-2:])


def _different_beginnings(name, target):
    """The two beginnings before the end that both names share, cut between parts."""
    shared = _shared_end(name, target)
    while True:
        first, second = name[: len(name) - shared], target[: len(target) - shared]
        if all(beginning[-1:] in ("", ".", "/") for beginning in (first, second)):
            return first, second
        shared -= 1


def _shared_end(name, target):
    """How many characters at their ends two names share."""
    alike = itertools.takewhile(
        lambda pair: pair[0] == pair[1], zip(reversed(name), reversed(target))
    )
    return sum(1 for _ in alike)


def _renamed(name, strip, add):
    return add + name.removeprefix(strip)
