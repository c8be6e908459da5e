"""`tf-defocus convert`: turns an author's checkpoint into a preset."""

from tf_defocus import commands
from tf_defocus.cli.arguments import fail, path


def add_convert(subparsers):
    """Adds `tf-defocus convert` and its options."""
    text = "turn an author's checkpoint into a preset"
    convert = subparsers.add_parser("convert", help=text)
    add = convert.add_argument
    add("--model", help="name of a network, of `tf-defocus models`")
    add("--checkpoint", nargs="+", required=True, help="file, or files of its parts")
    add("--output", type=path, help="folder to write")
    text = "word=value in JSON, of the network's constructor"
    add("--set", nargs="+", action="extend", default=[], metavar="WORD=JSON", help=text)
    add("--list", action="store_true", help="show what the files hold, write nothing")
    convert.set_defaults(run=convert_checkpoint)


def convert_checkpoint(options):
    """`tf-defocus convert`: writes a preset, or lists what a checkpoint holds."""
    commands.require_backend()
    from tf_defocus.conversion import converter

    try:
        if options.list:
            print(converter.list_tensors(options.checkpoint))
            return 0
        if not (options.model and options.output):
            return fail("convert needs --model and --output, or --list", code=2)
        words = dict(map(converter.parse_word, options.set))
        paths, output = options.checkpoint, options.output
        print(converter.convert(options.model, paths, output, words))
    except converter.ConversionError as error:
        return fail(error)
    return 0
