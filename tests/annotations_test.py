"""Every public signature says which types it takes and gives."""

import importlib
import inspect
import pkgutil

import pytest

import tf_defocus
from tests import conformance_test as conformance

ROOMS = sorted(m.name for m in pkgutil.iter_modules(tf_defocus.__path__, "tf_defocus."))


def public_names(module):
    """Those of `__all__`, else what a module without it defines."""
    names = getattr(module, "__all__", None)
    if names is not None:
        return names
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]


def public_functions():
    """dict, (module, qualified name) -> function, methods and properties included."""
    found, visited, waiting = {}, set(), [tf_defocus]
    waiting += map(importlib.import_module, set(ROOMS) - {"tf_defocus.__main__"})
    while waiting:
        module = waiting.pop()
        if module in visited:
            continue
        visited.add(module)
        for value in (getattr(module, name) for name in public_names(module)):
            if inspect.ismodule(value) and value.__name__.startswith("tf_defocus"):
                waiting.append(value)
            for function in functions_of(value):
                if function.__module__.startswith("tf_defocus"):
                    found[function.__module__, function.__qualname__] = function
    return found


def functions_of(value):
    """A function itself; of a class its constructor, public methods and properties."""
    if not inspect.isclass(value):
        value = inspect.unwrap(value) if callable(value) else value
        return [value] if inspect.isfunction(value) else []
    parts = [
        part
        for name, part in vars(value).items()
        if not name.startswith("_") or name in ("__init__", "__call__")
    ]
    unpacked = (
        getattr(part, "fget", None) or getattr(part, "func", None) or part
        for part in (getattr(part, "__func__", part) for part in parts)
    )
    return [inspect.unwrap(part) for part in unpacked if inspect.isfunction(part)]


def test_public_signatures_are_annotated():
    found = public_functions()
    assert len(found) > 500
    wanting = []
    for (module, name), function in sorted(found.items()):
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.name != "self"]
        if "." in name and parameters and parameters[0].name == "cls":
            del parameters[0]
        missing = [p.name for p in parameters if p.annotation is p.empty]
        if signature.return_annotation is signature.empty:
            missing.append("what it returns")
        if missing:
            wanting.append(f"{module}.{name}: {', '.join(missing)}")
    assert not wanting, "\n".join(wanting)


PLAIN = {"int": int, "float": (int, float), "str": str, "bool": bool}


@pytest.mark.parametrize("name", ["kpac_3level_dual", "ifan", "k3dn_tiny", "restormer"])
def test_constructors_take_what_they_are_annotated_with(name):
    """What a layer was made with, as its config tells, has the stated plain type."""
    checked = 0
    for layer in conformance.layers_of(conformance.small_model(name)):
        stated = inspect.signature(type(layer).__init__).parameters
        for word, value in layer.get_config().items():
            annotation = getattr(stated.get(word), "annotation", None)
            kind = getattr(annotation, "__name__", None)
            if kind in PLAIN:
                assert isinstance(value, PLAIN[kind]), (type(layer), word, value)
                checked += 1
    assert checked > 5
