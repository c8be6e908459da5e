"""Turns an author's checkpoint into a preset; the same as `tf-defocus convert`.

    python tools/convert_checkpoint.py --model ifan --checkpoint IFAN.pytorch \
        --output presets/ifan_authors
    python tools/convert_checkpoint.py --checkpoint IFAN.pytorch --list

Reads what `torch.save`, TensorLayer and Keras 2 write, and executes nothing of it. The
folder opens as a preset everywhere: `tf-defocus deblur -n presets/ifan_authors`.
"""

from absl import flags

from tf_defocus import commands

_MODEL = flags.DEFINE_string("model", None, "Name of a network.")
_CHECKPOINT = flags.DEFINE_multi_string(
    "checkpoint", None, "File; again for each part of a network.", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write.")
_SET = flags.DEFINE_multi_string("set", [], "word=value in JSON, of the constructor.")
_LIST = flags.DEFINE_bool("list", False, "Show what the files hold, write nothing.")


def main(arguments):
    """Converts or lists; further words may follow the first of --set."""
    from tf_defocus.conversion import converter

    if _LIST.value:
        print(converter.list_tensors(_CHECKPOINT.value))
        return
    if not (_MODEL.value and _OUTPUT.value):
        raise ValueError("give --model and --output, or --list")
    words = dict(map(converter.parse_word, [*_SET.value, *arguments[1:]]))
    print(converter.convert(_MODEL.value, _CHECKPOINT.value, _OUTPUT.value, words))


if __name__ == "__main__":
    flags.FLAGS.set_gnu_getopt(True)
    commands.run(main)
