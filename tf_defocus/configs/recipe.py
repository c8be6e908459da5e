"""What a training run is made of: one frozen dataclass, numbers only."""

import dataclasses
import hashlib
import json
import os
from typing import ClassVar


class Numbers:
    """What a frozen dataclass of a training's numbers can do."""

    def replace(self, **changes):
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self):
        """Plain JSON types."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


@dataclasses.dataclass(frozen=True)
class Recipe(Numbers):
    """A training run, complete: the same recipe and seed give the same weights.

    Attributes:
        name: str, also the run's folder by default.
        model: str, a name of `tf_defocus.list_models()`.
        overrides: dict, constructor arguments that differ from the named model.
        dataset: str, TFDS name and config, `synthetic_dp/photos`.
        crop_size: int [px], a square crop of each example, or (height, width).
        batch_size: int, examples per step (over all devices and accumulations).
        crop_schedule: tuple of (first step, crop_size, batch_size) in place of both,
            where they change as the training goes on; the first one begins at step 0.
        accumulation_steps: int, parts a batch is computed in; their gradients are
            summed, so the step is that of the whole batch.
        num_steps: int, after which the run ends.
        optimizer: "adam", "adamw" or "rectified_adam".
        learning_rate, final_learning_rate: float, first and last rate.
        decay: "constant", "step", "linear" or "cosine".
        decay_boundaries, decay_factor: steps of "step", and the factor at each; or, in
            place of that, a factor of the first rate for each.
        decay_power: float, of the share of the steps that remain, of "linear".
        hold_steps: int, steps at the first rate before a decay begins.
        beta_1, beta_2, epsilon: float, of Adam.
        weight_decay: float, decoupled; 0 for none.
        clip_norm: float, largest global norm of the gradient; 0 for none.
        ema_decay: float in [0, 1), of the averaged weights; 0 for none.
        losses: tuple of (loss name, weight), summed.
        loss_schedule: tuple of (first step, losses) in place of `losses`, where they
            change as the training goes on; the first one begins at step 0.
        scale_weights: weights of the output, of its half size, its quarter ..., each
            compared with the sharp image of that size.
        target_pyramid: how that sharp image is halved: "triangle", "binomial",
            "every_second_pixel" or "bilinear": `halve_antialiased`, `halve_binomial`,
            `every_second_pixel` and `reduce_bilinear` of `ops.resizing`.
        disparity_weight: float, of IFAN's task of warping one view to the other.
        reblurring_weight: float, of IFAN's or K3DN's task of blurring again.
        reblurring: dict, constructor arguments of IFAN's `ReblurringNetwork`.
        tasks: tuple of (task name, weight) or, where its losses are not the recipe's,
            (task name, weight, losses): MDP's of left and right, "views", "mean_view"
            and "view_difference"; NRKNet's "series" and "reblurring" of the whole size,
            of "_half" and of "_quarter".
        frozen: names of the network's layers that keep their weights.
        second_stage: bool, train K3DN's preservation blocks alone, on the first stage's
            `initial_run`.
        blur_radius_weights: str, `.npz` of a `BlurRadiusNetwork`, whose masks part
            BaMBNet's branches; "" for none.
        vgg19_weights: str, local file for the loss "perceptual".
        augmentation: str, whose chain from example to crop, a name of
            `augmentations.FUNCTIONS`; the three fields below are of "default".
        augmentation_options: dict, arguments of the other chains: {"quirks": False}.
        flip_probability: float, horizontal flip, which swaps the views.
        color_permutation: bool, shuffles red, green and blue.
        gain_range: (float, float), exposure factor of all images.
        noise_range: (float, float), standard deviation [of 1] of white noise, added to
            each input image on its own after any chain; what is drawn below 0 adds
            none.
        precision: "float32" or "mixed_bfloat16".
        initial_run: str, name of a run to start from, whose folder lies beside this
            one's; "" for none.
        initial_weights: str, `.npz` to start from instead; "" for none.
        seed: int.
        validate_every, checkpoint_every, log_every: int [steps].
        num_validation: int, examples of the validation split that are scored.
    """

    name: str
    model: str
    overrides: dict = dataclasses.field(default_factory=dict)
    dataset: str = "synthetic_dp/photos"
    crop_size: int | tuple = 128
    batch_size: int = 4
    crop_schedule: tuple = ()
    accumulation_steps: int = 1
    num_steps: int = 200_000
    optimizer: str = "adam"
    learning_rate: float = 1e-4
    final_learning_rate: float = 0.0
    decay: str = "constant"
    decay_boundaries: tuple = ()
    decay_factor: float | tuple = 0.5
    decay_power: float = 1.0
    hold_steps: int = 0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    ema_decay: float = 0.0
    losses: tuple = (("mae", 1.0),)
    loss_schedule: tuple = ()
    scale_weights: tuple = (1.0,)
    target_pyramid: str = "triangle"
    disparity_weight: float = 0.0
    reblurring_weight: float = 0.0
    reblurring: dict = dataclasses.field(default_factory=dict)
    tasks: tuple = ()
    frozen: tuple = ()
    second_stage: bool = False
    blur_radius_weights: str = ""
    vgg19_weights: str = ""
    augmentation: str = "default"
    augmentation_options: dict = dataclasses.field(default_factory=dict)
    flip_probability: float = 0.0
    color_permutation: bool = False
    gain_range: tuple = (1.0, 1.0)
    noise_range: tuple = (0.0, 0.0)
    precision: str = "float32"
    initial_run: str = ""
    initial_weights: str = ""
    seed: int = 0
    validate_every: int = 1000
    checkpoint_every: int = 1000
    log_every: int = 50
    num_validation: int = 60

    NAMING: ClassVar = ("name", "model")
    NOT_DECIDING: ClassVar = ("validate_every", "checkpoint_every", "log_every")
    COUNTS: ClassVar = (
        "batch_size",
        "accumulation_steps",
        "num_steps",
        "validate_every",
        "checkpoint_every",
        "log_every",
        "num_validation",
    )
    DEFAULT_OPTIONS: ClassVar = (
        "flip_probability",
        "color_permutation",
        "gain_range",
    )

    def __post_init__(self):
        """Refuses counts below one, bad schedules, and options without a use."""
        for name in self.COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1. Received: {name}={getattr(self, name)}"
                )
        first_steps = [first for first, _, _ in self.crops]
        if first_steps[0] != 0 or first_steps != sorted(set(first_steps)):
            raise ValueError(
                "crop_schedule must begin at step 0 and ascend. "
                f"Received: first steps {first_steps}"
            )
        unused = ["augmentation_options"] if self.augmentation_options else []
        if self.augmentation != "default":
            fields = {field.name: field.default for field in dataclasses.fields(self)}
            unused = [
                name
                for name in self.DEFAULT_OPTIONS
                if json.dumps(getattr(self, name)) != json.dumps(fields[name])
            ]
        if unused:
            raise ValueError(
                f"augmentation={self.augmentation!r} has no use for {unused}; leave "
                "them at their defaults"
            )

    @property
    def crops(self) -> tuple[tuple[int, int, int], ...]:
        """The crop schedule, also where there is but one size."""
        return self.crop_schedule or ((0, self.crop_size, self.batch_size),)

    def starting_weights(self, runs: str | os.PathLike) -> str | None:
        """The `.npz` to start from, or None.

        Args:
            runs: path of the folder that holds the runs.
        """
        if self.initial_run and not self.initial_weights:
            return f"{runs}/{self.initial_run}/weights.npz"
        return self.initial_weights or None

    def fingerprint(self) -> str:
        """A short hash of what decides the weights: a run resumes only its own.

        A field at its default is left out, so that a field added later leaves running
        trainings theirs. A default is never changed for the same reason.
        """
        deciding = self.to_dict()
        if deciding.pop("initial_run"):  # as it was written when trainings began
            deciding["initial_weights"] = self.starting_weights("runs")
        defaults = type(self)(self.name, self.model).to_dict()
        for key in tuple(deciding):
            at_default = deciding[key] == defaults[key]
            if key in self.NOT_DECIDING or (at_default and key not in self.NAMING):
                deciding.pop(key)
        text = json.dumps(deciding, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
