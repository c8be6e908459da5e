"""Exports a preset as a SavedModel with float, uint8 and encoded signatures.

    python tools/export_savedmodel.py --preset kpac_3level --output served/kpac_3level/1

The folder also holds `model_card.json`. What the signatures take is told at the top of
`tf_defocus/export/saved_model.py`; `saved_model_cli show --dir FOLDER --all` lists
them.
"""

import pathlib

from absl import flags

from tf_defocus import commands

_PRESET = flags.DEFINE_string("preset", None, "Name, or folder of a run.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write.")
_MAX_MEGAPIXELS = flags.DEFINE_float(
    "max_megapixels", None, "The most one call may hold [what fits 4 GiB].", 0.001
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace a SavedModel of that name.")


def main(_):
    """Exports and prints the signatures and the parity."""
    from tf_defocus.export import saved_model
    from tf_defocus.models import presets

    name = pathlib.Path(_PRESET.value).name
    card = saved_model.export_saved_model(
        presets.load_preset(_PRESET.value),
        _OUTPUT.value,
        name,
        _OVERWRITE.value,
        _MAX_MEGAPIXELS.value,
    )
    for signature, ends in card["signatures"].items():
        print(f"{signature}: {', '.join(ends['inputs'])}: {_texts(ends['inputs'])}")
        print(f"  -> {', '.join(ends['outputs'])}: {_texts(ends['outputs'])}")
    parity = card["parity"]
    print(
        f"parity with the Restorer on {parity['image_size']} px: largest error "
        f"{parity['max_error']:.1e}, {parity['max_levels']} levels of 255"
    )
    print(f"one call may hold {card['max_pixels'] / 1e6:.1f} megapixels in all")
    print(f"written: {_OUTPUT.value}")


def _texts(ends):
    return "; ".join(dict.fromkeys(ends.values()))


if __name__ == "__main__":
    flags.mark_flags_as_required(["preset", "output"])
    commands.run(main)
