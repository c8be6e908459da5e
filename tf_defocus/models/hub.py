"""Presets on a hub of models: `hf://user/name`, or `hf://user/name@revision`.

There a preset is a repository of three files:

    config.json        model, overrides, inputs, licence and the weights' sha256
    model.weights.npz  arrays by variable path, nothing pickled
    README.md          the model card, opened by metadata for the hub's search

Such a folder on the disk serves as a preset too. Of a repository nothing but the first
two files is fetched, into the cache of `huggingface_hub`, and nothing of it is run.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile

from tf_defocus import __version__, whole_files
from tf_defocus.models import manifest
from tf_defocus.models.manifest import PresetError

PREFIX = "hf://"
CONFIG, WEIGHTS, CARD = "config.json", "model.weights.npz", "README.md"
MAX_BYTES = {CONFIG: manifest.MAX_JSON_BYTES, WEIGHTS: 2**30}
_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_KNOWN_LICENCES = (  # by the hub's names
    "agpl-3.0",
    "apache-2.0",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc0-1.0",
    "mit",
)
# What a preset's entry tells on the hub as well.
_SHARED = ("model", "overrides", "inputs", "description", "licence", "recipe", "data")


def parse_address(address: str) -> tuple[str, str | None]:
    """(repository, revision or None) of an address.

    Args:
        address: str, `hf://user/name` or `hf://user/name@revision`.

    Raises:
        PresetError: if it has another form.
    """
    match = _ADDRESS.fullmatch(str(address))
    if not match:
        raise PresetError(
            f"Expected hf://user/name or hf://user/name@revision. Received: {address}"
        )
    return match.groups()


def download_preset(address: str) -> pathlib.Path:
    """Fetches a preset, or finds what was fetched before.

    Args:
        address: str, as of `parse_address`; the newest revision if it names none.

    Returns:
        Path of a folder with `config.json` and the weights that it tells of, both of
        one commit.

    Raises:
        PresetError: in one line, if the hub cannot be reached, has no such repository,
            revision or preset, if a file is larger than 4 MiB (configuration) or 1 GiB
            (weights), or if the weights have another sha256 than `config.json` says.
    """
    repository, revision = parse_address(address)
    with _in_one_line(address):
        path = _fetch(repository, CONFIG, revision)
        folder = path.parent
        # The folder's name is the commit: no other one's weights come with this file.
        weights = _fetch(repository, WEIGHTS, folder.name)
    if weights.parent != folder:
        raise PresetError(f"{address} changed while it was fetched; try again")
    expected = manifest.read_json(path).get("weights_sha256")
    if not isinstance(expected, str):
        raise PresetError(f"{address}: {CONFIG} names no weights_sha256; not a preset")
    manifest.check_sha256(weights, expected)
    return folder


def upload_preset(
    preset: str | os.PathLike,
    address: str,
    private: bool = False,
    message: str | None = None,
) -> str:
    """Puts a preset on a hub of models, in a repository that is made if absent.

    Log in first, with `hf auth login` or the variable HF_TOKEN.

    Args:
        preset: str or path, as of `load_preset`: a name, or a folder.
        address: str, `hf://user/name`, or `hf://user/name@branch`.
        private: bool, of a repository that is made.
        message: str, of the commit.

    Returns:
        The commit's address, a str.

    Raises:
        PresetError: in one line, if the preset is damaged, or the hub cannot be
            reached or refuses.

    Example:
        >>> upload_preset("runs/mine", "hf://me/mine")
    """
    repository, revision = parse_address(address)
    with tempfile.TemporaryDirectory() as folder, _in_one_line(address):
        write_preset(preset, folder)
        api = _api()
        api.create_repo(repository, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            revision=revision,
            commit_message=message or f"Preset of tf_defocus {__version__}",
        )
    return str(commit.commit_url)


def write_preset(preset: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Writes the three files of a preset as they stand on a hub.

    Args:
        preset: str or path, as of `load_preset`.
        folder: str or path, made if absent.

    Raises:
        PresetError: if there is no such preset, or if it is damaged.
    """
    from tf_defocus.models import presets

    found = presets.find_preset(preset)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found.weights, folder / WEIGHTS)
    config = {key: found.config[key] for key in _SHARED if key in found.config}
    if isinstance(config.get("recipe"), dict):  # a training run holds all of it
        config["recipe"] = config["recipe"]["name"]
    config["weights_sha256"] = manifest.sha256(folder / WEIGHTS)
    config["tf_defocus"] = __version__
    text = found.card.read_text() if found.card and found.card.is_file() else ""
    whole_files.write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    whole_files.write_text(folder / CARD, _card(found.name, config, text))


def _card(name, config, text):
    """The card with its metadata; pictures of other folders are left out."""
    text = text or f"# {name}\n\n{config.get('description', '')}\n"
    text = re.sub(r"^!\[[^\]]*\]\((?!https:)[^)]*\)\n+", "", text, flags=re.MULTILINE)
    licence = str(config.get("licence", "unknown"))
    known = licence.lower() in _KNOWN_LICENCES
    data = config.get("data")
    dataset = data.get("dataset") if isinstance(data, dict) else None
    fields = {
        "license": licence.lower() if known else "other",
        "license_name": None if known else _slug(licence),
        "library_name": "tf_defocus",
        "pipeline_tag": "image-to-image",
        "tags": ["defocus-deblurring", "keras", config["model"]],
        "datasets": [_slug(dataset)] if dataset else None,
        "metrics": ["psnr", "ssim"],
    }
    # JSON is YAML, and quotes what YAML would take for something else.
    lines = [f"{key}: {json.dumps(v)}" for key, v in fields.items() if v is not None]
    return "\n".join(["---", *lines, "---", "", text])


def _slug(text):
    return re.sub(r"[^a-z0-9.]+", "-", str(text).lower()).strip("-")


def _api():
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


def _fetch(repository, name, revision):
    """Path of a file in the cache, fetched if it is not there and not too large."""
    api, place = _api(), {"repo_id": repository, "filename": name, "revision": revision}
    info = api.hf_hub_download(**place, dry_run=True)
    _check_size(name, info.file_size)
    path = pathlib.Path(api.hf_hub_download(**place))
    _check_size(name, path.stat().st_size)
    return path


def _check_size(name, size):
    if size > MAX_BYTES[name]:
        raise PresetError(
            f"{name} has {size} bytes, expected at most {MAX_BYTES[name]}; not a preset"
        )


@contextlib.contextmanager
def _in_one_line(address):
    """What goes wrong between here and the hub, as a PresetError with the remedy."""
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise PresetError(
            f'{address} needs huggingface_hub; pip install "tf-defocus[hub]"'
        ) from error
    remedies = {
        errors.GatedRepoError: "its owner must give you access",
        errors.RepositoryNotFoundError: "no such repository; if it is private, log in "
        "with `hf auth login`",
        errors.RevisionNotFoundError: "no such revision; leave @revision out, or name "
        "a branch, tag or commit that is there",
        errors.LocalEntryNotFoundError: "the hub cannot be reached, and the preset was "
        "not fetched before; try again when there is a network",
        errors.EntryNotFoundError: f"no {CONFIG} or {WEIGHTS} in it; it is not a "
        "preset of tf_defocus",
        errors.OfflineModeIsEnabled: "HF_HUB_OFFLINE is set; unset it",
    }
    try:
        yield
    except PresetError:
        raise
    except (OSError, ValueError, errors.EntryNotFoundError, errors.HfHubHTTPError) as e:
        remedy = next((r for kind, r in remedies.items() if isinstance(e, kind)), None)
        reason = remedy or " ".join(str(e).split())[:300]
        raise PresetError(f"{address}: {reason}") from e
