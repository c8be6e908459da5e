"""Compiles the native adaptive convolution for the installed TensorFlow.

    python tools/build_native.py

IFAN uses it on TensorFlow; it compiles itself at its first use, too.
"""

from tf_defocus import commands


def main(_):
    """Compiles the adaptive convolution for the TensorFlow that is installed."""
    from tf_defocus.ops import adaptive_convolution_native, build

    try:
        print(build.build(adaptive_convolution_native.toolchain()))
    except build.BuildError as error:
        raise OSError(str(error)) from error


if __name__ == "__main__":
    commands.run(main)
