"""Builders of many files: examples made in one process, or by Apache Beam's workers."""

import functools
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any


class OnBeam:
    """What a TFDS builder inherits, before TFDS' own class, to be built on Beam, too.

    It is where a runner or its options are given, as `tfds build` does by
    `--beam_pipeline_options`. The files it writes are the same.
    """

    _uses_beam = False

    def _download_and_prepare(self, dl_manager, download_config):
        self._uses_beam = bool(
            download_config.beam_runner or download_config.beam_options
        )
        super()._download_and_prepare(dl_manager, download_config)

    def examples_of(
        self, items: Sequence[Any], make: Callable[[Any], Iterable[tuple[str, dict]]]
    ) -> Any:
        """What `make` yields of all items, for TFDS to write.

        Args:
            items: list of what examples are made of, such as paths.
            make: function of an item, or a partial of one, that yields (key, example);
                a key is there once.

        Returns:
            An iterator over (key, example), or Beam's steps to them.
        """
        if not self._uses_beam:
            return itertools.chain.from_iterable(map(make, items))
        import apache_beam as beam

        _send_along(make)
        return beam.Create(list(items)) | beam.Reshuffle() | beam.FlatMap(make)


def _send_along(make):
    """Has workers get the builder's module with the pipeline: they cannot import it."""
    from apache_beam.internal.cloudpickle import cloudpickle

    function = make.func if isinstance(make, functools.partial) else make
    cloudpickle.register_pickle_by_value(sys.modules[function.__module__])
