"""What is trained: a network, or a network with the tasks that teach it.

IFAN learns disparity and reblurring beside deblurring, K3DN reblurring, MDP the views,
NRKNet (`nrknet.py`) its series and reblurring, RDPD (`rdpd.py`) where its crops lie;
BaMBNet's branches learn from the pixels whose blur they are for.
Such tasks need images that restoring does not, and IFAN's a network of its own; both
are wrapped here, so that the training step knows one model only.
"""

import os

import keras
import tqdm
from keras import ops

from tf_defocus.models import create_model, weights
from tf_defocus.models.bambnet import BaMBNet, BlurRadiusNetwork, mask_strength
from tf_defocus.models.base import check_restores
from tf_defocus.models.ifan import IFAN
from tf_defocus.models.ifan_reblurring import ReblurringNetwork
from tf_defocus.models.k3dn import K3DN
from tf_defocus.models.mdp import MDP
from tf_defocus.models.nrknet import NRKNet
from tf_defocus.models.rdpd import RDPD
from tf_defocus.ops.warping import horizontal_warp
from tf_defocus.training.nrknet import NRKNetTasks
from tf_defocus.training.rdpd import RDPDCrops


def create_network(recipe, runs="runs"):
    """The network of a recipe, with its initial weights.

    Args:
        recipe: `Recipe`; with `second_stage`, `initial_run` is the first stage.
        runs: folder that holds the run to start from.

    Returns:
        Built `keras.Model`; in the second stage all is frozen but what that adds.

    Raises:
        ValueError: if a second stage has no weights to start from, or a layer to freeze
            is not there.
        FileNotFoundError: if the run to start from has no weights.
    """
    changes = {"sharp_region_preservation": False} if recipe.second_stage else {}
    network = create_model(recipe.model, **{**recipe.overrides, **changes})
    check_start(recipe, runs)
    start = recipe.starting_weights(runs)
    if start:
        weights.initialize_from(network, weights.read_weights(start))
    for name in recipe.frozen:
        network.get_layer(name).trainable = False
    if not recipe.second_stage:
        return network
    if not start:
        raise ValueError(
            "A second stage needs initial_run, the first stage, or initial_weights, "
            "its weights.npz. Received: neither"
        )
    return network.second_stage()


def check_start(recipe, runs="runs"):
    """Refuses a recipe whose weights to start from are not there.

    Raises:
        FileNotFoundError: naming them.
    """
    start = recipe.starting_weights(runs)
    if start and not os.path.exists(start):
        raise FileNotFoundError(
            f"{recipe.name} starts from {start}, which is not there; train that run "
            "first, or --set initial_weights=FILE.npz"
        )


def create_trainee(network, recipe):
    """The network with the tasks that the recipe weighs above 0.

    Args:
        network: built `keras.Model`.
        recipe: `Recipe`.

    Returns:
        `keras.Model` of `view_names`, whose outputs are the network's, with every
        task's output ("disparity", "reblurring", "views" ...) and its "_target".

    Raises:
        ValueError: if the network does not know a task, or its result is no image.
    """
    check_restores(network)
    if recipe.blur_radius_weights:
        return _masked_branches(network, recipe)
    if recipe.tasks:
        return _own_tasks(network, recipe)
    disparity, reblurring = recipe.disparity_weight > 0, recipe.reblurring_weight > 0
    if not disparity and not reblurring:
        return RDPDCrops(network) if isinstance(network, RDPD) else network
    if isinstance(network, IFAN) and _can(network, disparity, reblurring):
        auxiliary = _reblurring_network(network, recipe) if reblurring else None
        return IFANTasks(network, auxiliary, disparity)
    if isinstance(network, K3DN) and not disparity and network.reblurring:
        return K3DNTasks(network)
    raise ValueError(
        "disparity_weight is for an IFAN with use_disparity, reblurring_weight for an "
        "IFAN with adaptive_filters or a K3DN with reblurring. Received: "
        f"{recipe.model} with disparity_weight={recipe.disparity_weight}, "
        f"reblurring_weight={recipe.reblurring_weight}"
    )


def without_missing_views(recipe, kinds):
    """The recipe, or where dual-pixel views are missing, one that does without.

    Args:
        recipe: `Recipe`.
        kinds: names of the images that the data hold.

    Returns:
        `Recipe`; without the task of disparity, which is said, if only that needs the
        views.
    """
    if recipe.disparity_weight > 0 and not {"left", "right"} <= set(kinds):
        tqdm.tqdm.write(
            "The data hold no left and right views: training without the task of "
            "disparity (use_disparity=False)"
        )
        return recipe.replace(
            disparity_weight=0.0,
            overrides={**recipe.overrides, "use_disparity": False},
        )
    return recipe


class IFANTasks(keras.Model):
    """IFAN with two tasks: the views' disparity, and the blur [IFAN Sec. 3].

    Args:
        network: built `IFAN`.
        reblurring: built `ReblurringNetwork`, or None without this task.
        disparity: bool, warp the right view to the left one by the disparity.

    Outputs:
        The network's, and at an eighth of the size "disparity", the right view warped,
        with the left one as its target; and "reblurring", the sharp image blurred, with
        the photograph as its target. (The network's own output "disparity", the map,
        becomes "disparity_map".)
    """

    def __init__(self, network, reblurring, disparity):
        super().__init__(autocast=False, name="ifan_tasks")
        self.network = network
        self.reblurring = reblurring
        self.disparity = disparity
        self.built = True  # of two built models

    @property
    def view_names(self):
        """Names of the images a call takes."""
        views = ("left", "right") if self.disparity else self.network.view_names
        return tuple(dict.fromkeys(("blurred", *views, "sharp")))

    def call(self, inputs, training=None):
        """Deblurs and does the tasks."""
        views = {name: inputs[name] for name in self.network.view_names}
        outputs = self.network(views, training=training)
        if self.disparity:
            disparity = outputs["disparity_map"] = outputs.pop("disparity")
            if self.network.views == 1:
                # The network sees one image: of the right view it tells the same.
                disparity = self.network.estimate_disparity(
                    {"blurred": inputs["right"]}
                )
            disparity = ops.cast(disparity, "float32")
            outputs["disparity"] = horizontal_warp(_reduce(inputs["right"]), disparity)
            outputs["disparity_target"] = _reduce(inputs["left"])
        if self.reblurring is not None:
            # The released code takes every eighth pixel of the sharp image, but the
            # mean of the photograph; the paper does not say.
            sharp = inputs["sharp"]
            released = self.network.variant == "released"
            sharp = sharp[:, ::8, ::8] if released else _reduce(sharp)
            filters = {"filters": outputs["filters"], "sharp": sharp}
            outputs["reblurring"] = self.reblurring(filters)["reblurred"]
            outputs["reblurring_target"] = _reduce(inputs["blurred"])
        return outputs


class K3DNTasks(keras.Model):
    """K3DN and the blur that its kernels put onto the sharp image [K3DN Sec. 3.3].

    Args:
        network: built `K3DN` with `reblurring`.

    Outputs:
        The network's, and "reblurring" with the mean of the views as its target.
    """

    def __init__(self, network):
        super().__init__(autocast=False, name="k3dn_tasks")
        self.network = network
        self.built = True  # of a built model

    @property
    def view_names(self):
        """Names of the images a call takes."""
        return (*self.network.view_names, "sharp")

    def call(self, inputs, training=None):
        """Deblurs, and blurs the sharp image."""
        outputs = self.network(inputs, training=training)
        names = self.network.view_names
        views = [ops.convert_to_tensor(inputs[name]) for name in names]
        outputs["reblurring"] = outputs.pop("reblurred")
        outputs["reblurring_target"] = sum(views) / len(views)
        return outputs


class MDPTasks(keras.Model):
    """MDP and what its views must be beside near their truth (Abuolaim et al., 2022).

    Args:
        network: built `MDP`.

    Outputs:
        The network's, and "views", both side by side; "mean_view", with the photograph
        as its target, which is the mean of the true ones; and "view_difference".
    """

    view_names = ("blurred", "left", "right")
    tasks = ("views", "mean_view", "view_difference")

    def __init__(self, network):
        super().__init__(autocast=False, name="mdp_tasks")
        self.network = network
        self.built = True  # of a built model

    def call(self, inputs, training=None):
        """Deblurs, and compares the views."""
        outputs = self.network({"blurred": inputs["blurred"]}, training=training)
        left, right = outputs["left"], outputs["right"]
        truth = [ops.convert_to_tensor(inputs[name]) for name in ("left", "right")]
        return {
            **outputs,
            "views": ops.concatenate([left, right], axis=-1),
            "views_target": ops.concatenate(truth, axis=-1),
            "mean_view": (left + right) / 2,
            "mean_view_target": inputs["blurred"],
            "view_difference": left - right,
            "view_difference_target": truth[0] - truth[1],
        }


def _own_tasks(network, recipe):
    wrappers = {MDP: MDPTasks, NRKNet: NRKNetTasks}
    wrapper = wrappers.get(type(network))
    others = recipe.disparity_weight > 0 or recipe.reblurring_weight > 0
    names = {name for name, *_ in recipe.tasks}
    if wrapper and names <= set(wrapper.tasks) and not others:
        return wrapper(network)
    known = "; ".join(f"{w.tasks} of {n.__name__}" for n, w in wrappers.items())
    raise ValueError(
        f"tasks are some of {known}, without other tasks. Received: "
        f"{recipe.model} with tasks={recipe.tasks}, disparity_weight="
        f"{recipe.disparity_weight}, reblurring_weight={recipe.reblurring_weight}"
    )


class BaMBNetMasks(keras.Model):
    """BaMBNet whose branches see their own pixels only, less and less strictly.

    Args:
        network: built `BaMBNet`.
        radius_network: built `BlurRadiusNetwork`, which stays as it is.

    Outputs:
        The network's.
    """

    def __init__(self, network, radius_network):
        super().__init__(autocast=False, name="bambnet_masks")
        self.network = network
        self.radius_network = radius_network
        radius_network.trainable = False
        # Part of a checkpoint; the released code starts again when it resumes.
        self.calls = self.add_weight(
            name="calls",
            initializer="zeros",
            dtype="int32",
            trainable=False,
            aggregation="only_first_replica",
        )
        self.built = True  # of two built models

    @property
    def view_names(self):
        """Names of the images a call takes."""
        return self.network.view_names

    def call(self, inputs, training=None):
        """Deblurs; while training, with the masks of this call's number."""
        if not training:
            return self.network(inputs)
        radius = ops.stop_gradient(self.radius_network(inputs)["blur_radius"])
        strength = mask_strength(self.calls)
        self.calls.assign(self.calls + 1)
        views = {**inputs, "blur_radius": radius}
        return self.network(views, training=True, mask_strength=strength)


def _can(network, disparity, reblurring):
    filters = network.adaptive_filters is not None
    return (network.use_disparity or not disparity) and (filters or not reblurring)


def _reblurring_network(network, recipe):
    size, channels = network.filter_size, 4 * network.base_filters
    per_channel = network.num_iterations * (2 * size + 1)
    kind = {"adaptive_filters": network.adaptive_filters}
    if network.adaptive_filters == "fac":
        per_channel = size**2
        kind["filter_size"] = size
    arguments = {
        **kind,
        "base_filters": network.base_filters,
        "filter_channels": per_channel * channels,
        "variant": network.variant,
        **recipe.reblurring,
    }
    reblurring = ReblurringNetwork(name="reblurring", **arguments)
    reblurring.build()
    return reblurring


def _reduce(image):
    """Means over 8x8 pixels."""
    return ops.average_pool(ops.convert_to_tensor(image), 8)


def _masked_branches(network, recipe):
    if not isinstance(network, BaMBNet):
        raise ValueError(
            "blur_radius_weights are for a BaMBNet. "
            f"Received: {recipe.model} with {recipe.blur_radius_weights!r}"
        )
    radius_network = BlurRadiusNetwork(name="blur_radius", **recipe.overrides)
    radius_network.build()
    weights.load_weights(radius_network, recipe.blur_radius_weights)
    return BaMBNetMasks(network, radius_network)
