"""The named networks: a class, and in what each differs from the class's defaults.

The names are listed without Keras; a class is imported when it is asked for.
"""

from typing import Any

from tf_defocus import models

# name -> (class in `tf_defocus.models`, what differs from its defaults)
MODELS = {
    "dmenet": ("DMENet", {}),
    "bambnet": ("BaMBNet", {}),
    "srn": ("SRN", {}),
    "dddnet": ("DDDNet", {}),
    "deeprft": ("DeepRFT", {}),
    "dpdnet_dual": ("DPDNet", {"views": 2}),
    "dpdnet_single": ("DPDNet", {"views": 1}),
    "drbnet": ("DRBNet", {}),
    "drbnet_dual": ("DRBNet", {"views": 2}),
    "gkmnet": ("GKMNet", {}),
    "ifan": ("IFAN", {}),
    "ifan_compact": ("IFAN", {"base_filters": 16}),
    "ifan_dual": ("IFAN", {"views": 2}),
    "iniknet": ("INIKNet", {}),
    "k3dn_large": ("K3DN", {}),
    "k3dn_lightweight": (
        "K3DN",
        {
            "base_filters": 32,
            "encoder_residual_units": 2,
            "num_psf_blocks": 4,
            "srp_residual_units": 2,
        },
    ),
    "k3dn_single": ("K3DN", {"views": 1}),
    "k3dn_tiny": (
        "K3DN",
        {
            "base_filters": 24,
            "encoder_residual_units": 2,
            "num_psf_blocks": 4,
            "srp_residual_units": 1,
        },
    ),
    "kpac_2level": ("KPAC", {"levels": 2}),
    "kpac_3level": ("KPAC", {"levels": 3}),
    "kpac_3level_dual": ("KPAC", {"levels": 3, "views": 2}),
    "lakdnet_large": ("LaKDNet", {"base_filters": 48}),
    "lakdnet_large_dual": ("LaKDNet", {"base_filters": 48, "views": 2}),
    "lakdnet_small": ("LaKDNet", {}),
    "lakdnet_small_dual": ("LaKDNet", {"views": 2}),
    "mdp": ("MDP", {}),
    "nrknet": ("NRKNet", {}),
    "rdpd": ("RDPD", {}),
    "restormer": ("Restormer", {}),
    "restormer_dual": ("Restormer", {"views": 2}),
}


def list_models() -> list[str]:
    """Sorted names that `create_model` knows."""
    return sorted(MODELS)


def network_class(name: str) -> type:
    """The class of the network of that name, imported when it is asked for."""
    return getattr(models, MODELS[name][0])


def create_model(name: str, **overrides: Any) -> "models.base.RestorationNetwork":
    """Builds a network with fresh weights.

    Args:
        name: str, one of `list_models()`.
        **overrides: constructor arguments that differ from the named configuration.

    Returns:
        A built `keras.Model`: dict of images in, dict of images out (see its class).

    Raises:
        ValueError: if `name` or an argument is unknown.
    """
    if name not in MODELS:
        raise ValueError(
            f"Unknown model. Expected one of {list_models()}. Received: name={name!r}"
        )
    defaults = MODELS[name][1]
    model_class = network_class(name)
    try:
        model = model_class(**{"name": name, **defaults, **overrides})
    except TypeError as error:
        raise ValueError(
            f"{model_class.__name__} does not take these arguments: {error}"
        ) from error
    model.build()
    return model
