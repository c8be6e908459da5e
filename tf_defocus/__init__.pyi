from . import (
    configs,
    conversion,
    data,
    deconvolution,
    layers,
    losses,
    metrics,
    models,
    ops,
    optics,
    optimizers,
)
from .configs import Recipe, get_recipe, list_recipes
from .evaluation.evaluate import evaluate
from .evaluation.protocols import score
from .export import export_saved_model
from .models import (
    create_model,
    list_models,
    list_presets,
    load_preset,
    save_preset,
    upload_preset,
    weights,
)
from .restoration import Restorer
from .saved_models import load_model
from .training import train

__all__ = [
    "Recipe",
    "Restorer",
    "configs",
    "conversion",
    "create_model",
    "data",
    "deconvolution",
    "evaluate",
    "export_saved_model",
    "get_recipe",
    "layers",
    "list_models",
    "list_presets",
    "list_recipes",
    "load_model",
    "load_preset",
    "losses",
    "metrics",
    "models",
    "ops",
    "optics",
    "optimizers",
    "save_preset",
    "score",
    "train",
    "upload_preset",
    "weights",
]

__version__: str
