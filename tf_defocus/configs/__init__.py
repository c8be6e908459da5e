"""Training recipes: the papers' numbers, and those of the shipped presets."""

import importlib

from tf_defocus.configs.recipe import Recipe

# modules of this room, each with its list `RECIPES`
_PAPERS = (
    "bambnet",
    "deeprft",
    "dpdnet",
    "drbnet",
    "gkmnet",
    "ifan",
    "iniknet",
    "k3dn",
    "kpac",
    "lakdnet",
    "mdp",
    "nrknet",
    "rdpd",
    "restormer",
    "srn",
)
_RECIPES = {
    recipe.name: recipe
    for paper in _PAPERS
    for recipe in importlib.import_module(f"{__name__}.{paper}").RECIPES
}


def list_recipes() -> list[str]:
    """Sorted names that `get_recipe` knows."""
    return sorted(_RECIPES)


def get_recipe(name: str) -> Recipe:
    """The `Recipe` of that name.

    Args:
        name: str, of `list_recipes()`.

    Returns:
        `Recipe`.

    Raises:
        ValueError: if there is none.
    """
    if name not in _RECIPES:
        raise ValueError(
            f"Unknown recipe. Expected one of {list_recipes()}. Received: {name!r}"
        )
    return _RECIPES[name]


__all__ = ["Recipe", "get_recipe", "list_recipes"]
