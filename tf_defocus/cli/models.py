"""`tf-defocus models`: lists networks and presets."""

from tf_defocus.cli.arguments import fail


def list_models(_):
    """`tf-defocus models`: prints the networks and the presets, without Keras."""
    from tf_defocus.models import manifest, named

    try:
        folder = manifest.checkpoints_folder()
        entries = manifest.list_presets(folder)
    except manifest.PresetError as error:
        return fail(error)
    print("networks:")
    for name in named.list_models():
        print(f"  {name}")
    print(f"presets in {folder}:")
    for name, entry in entries.items():
        print(f"  {name}: {entry.get('description', 'no description')}")
        for key, value in _details(folder, entry).items():
            print(f"    {key + ':':8} {value}")
    return 0


def _details(folder, entry):
    """What a photographer asks of a preset, from its entry in the manifest."""
    path = folder / str(entry.get("file"))
    size = f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "missing"
    return {
        "inputs": ", ".join(map(str, entry.get("inputs", ["not said"]))),
        "size": size,
        "licence": entry.get("licence", "not said"),
        "card": folder / str(entry.get("card")),
    }
