"""Trains DMENet on rendered, marked and unmarked photographs (Lee et al., CVPR 2019).

    python tools/train_dmenet.py --syndof SYNDOF --cuhk CUHK --flickr FLICKR \\
        --vgg19_weights FILE --output runs/dmenet

SYNDOF and the blur detection set of CUHK are the folders of their authors
(`datasets/README.md`); unmarked photographs of any kind stand for Flickr's, in a folder
`combined` inside the given one. Photographs are decoded on the first run. A run that
was stopped, or killed, goes on when the same command is given again; `runs/dmenet` then
serves `--classical two_step_dmenet --dmenet runs/dmenet`. Without VGG-19's weights the
encoder starts at random and the perceptual loss is left out.
"""

import pathlib

from absl import flags

from tf_defocus import commands

_SYNDOF = flags.DEFINE_string("syndof", None, "SYNDOF's folder.", required=True)
_CUHK = flags.DEFINE_string("cuhk", None, "CUHK's folder.", required=True)
_FLICKR = flags.DEFINE_string("flickr", None, "Unmarked photographs.", required=True)
_OUTPUT = flags.DEFINE_string("output", "runs/dmenet", "Folder of the run.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps prepared data.")
_VGG19_WEIGHTS = flags.DEFINE_string("vgg19_weights", None, "Keras Applications' file.")
_NUM_STEPS = flags.DEFINE_integer("num_steps", None, "Stop after so many in all.", 1)
_BASE_FILTERS = flags.DEFINE_integer("base_filters", None, "Another width.", 4)
_CROP_SIZE = flags.DEFINE_integer("crop_size", None, "Another crop [px].", 16)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", None, "Of each kind.", 1)

# kind -> (data set, split)
SETS = {
    "rendered": ("syndof", "train"),
    "marked": ("cuhk_bd", "test"),  # the only split it is published with
    "unmarked": ("dp_folder", "test"),
}


def settings():
    """The paper's numbers, with those of the flags."""
    from tf_defocus.configs.dmenet import PAPER

    changes = {}
    if _BASE_FILTERS.value:
        changes["overrides"] = {"base_filters": _BASE_FILTERS.value}
    if _CROP_SIZE.value:
        changes |= {"crop_size": _CROP_SIZE.value, "shortest_side": _CROP_SIZE.value}
    if _BATCH_SIZE.value:
        changes["batch_size"] = _BATCH_SIZE.value
    return PAPER.replace(**changes)


def main(_):
    """Decodes and trains, as the flags say."""
    from tf_defocus.data.domains import load_domain
    from tf_defocus.training.domain_loop import train_domains

    chosen, output = settings(), pathlib.Path(_OUTPUT.value)
    folders = dict(zip(SETS, (_SYNDOF.value, _CUHK.value, _FLICKR.value)))
    domains = {
        kind: load_domain(
            *(kind, *SETS[kind], chosen),
            output.parent / "domains" / f"{kind}_{chosen.shortest_side}",
            *(_DATA_DIR.value, folders[kind]),
        )
        for kind in SETS
    }
    run = train_domains(chosen, output, domains, _NUM_STEPS.value, _VGG19_WEIGHTS.value)
    commands.leave_if_stopped(run)


if __name__ == "__main__":
    commands.run(main)
