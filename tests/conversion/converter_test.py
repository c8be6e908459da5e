"""Presets from files as the authors' programs write them, against `load_official`."""

import json

import h5py
import numpy as np
import pytest

from tests import testing
from tests.torch_archive import (
    write_legacy,
    write_tensors,
)
from tf_defocus import create_model
from tf_defocus.conversion import (
    bambnet,
    converter,
    dpdnet,
    iniknet,
    keras_hdf5,
    load_official,
    nrknet,
    rdpd,
)
from tf_defocus.conversion.converter import convert
from tf_defocus.models import weights


def official(name):
    """(words, tensors) of a recorded file."""
    vectors = testing.reference_file(name)
    config = json.loads(str(vectors["meta"]))["config"]
    return config, testing.official_weights(vectors)


def kpac_words(config):
    words = {"num_blocks": config["bs"], "kernel_size": config["ks"]}
    return words | ({"base_filters": config["ch"]} if "ch" in config else {})


def ifan_words(config):
    return {
        "base_filters": config["ch"],
        "num_iterations": config["N"],
        "filter_size": config["Fs"],
        "kernel_size": config["ks"],
        "num_residual_units": config["res_num"],
    }


def gkmnet_words(config):
    return {
        "num_gaussians": config["num_gaussian_kernels"],
        "max_kernel_size": config["gaussian_kernel_size"],
    }


def k3dn_words(config):
    return {
        "base_filters": config["base_channel"],
        "encoder_residual_units": config["ed_res"],
        "num_psf_blocks": config["ld_res"],
        "srp_residual_units": config["psf_out_layer"],
        "truncate": config["truncate"],
        "window_size": config["window_size"],
        "pool_size": config["disp"]["pool_size"],
        "pad_scale": config["disp"]["pad_scale"],
        "sharp_region_preservation": config["ft"],
    }


def nrknet_words(config):
    return {
        "base_filters": config["base_channel"],
        "num_kernels": config["num_kernels"],
        "num_residual_units": config["num_res"],
    }


def bambnet_words(config):
    return {"base_filters": config["base"], "reduction": config["reduction"]}


def iniknet_words(config):
    return {
        "base_filters": config["base_ch"],
        "num_bases": config["basis_num"],
        "max_kernel_size": config["max_kernel_size"],
        "hidden_units": config["inr_hidden"],
        "num_residual_units": config["num_res_unet"],
    }


def lakdnet_words(config):
    return {
        "base_filters": config["dim"],
        "num_blocks": config["num_blocks"],
        "kernel_size": config["mix_kernel_size"][0],
        "expansion_factor": config["ffn_expansion_factor"],
    }


def restormer_words(config):
    return {
        "base_filters": config["dim"],
        "num_blocks": config["num_blocks"],
        "num_heads": config["heads"],
        "num_refinement_blocks": config["num_refinement_blocks"],
        "expansion_factor": config["ffn_expansion_factor"],
        "use_bias": config["bias"],
        "center_normalization": config["LayerNorm_type"] == "WithBias",
    }


def drbnet_words(config):
    return {"base_filters": config["ch1"], "filter_size": config["kernel_width"]}


def deeprft_words(config):
    return {
        "base_filters": config["base_channel"],
        "num_residual_units": config["num_res"],
    }


def divided(width):
    return lambda config: {"base_filters": width // config["width_divisor"]}


def same(arrays):
    return arrays


def dpdnet_rgb(arrays):
    return keras_hdf5.swap_red_and_blue(
        arrays, "00", [f"{dpdnet.CONVOLUTIONS - 1:02d}"]
    )


def mdp_rgb(arrays):
    return keras_hdf5.swap_red_and_blue(arrays, "00", ["34", "41", "48"])


# recorded file -> (model, constructor words of its config, to red, green, blue)
TORCH = {
    "ifan_n2.npz": ("ifan", ifan_words, same),
    "ifan_dual_n2.npz": ("ifan_dual", ifan_words, same),
    "gkmnet.npz": ("gkmnet", gkmnet_words, same),
    "k3dn_dual_ft.npz": ("k3dn_large", k3dn_words, same),
    "k3dn_single_model.npz": ("k3dn_single", k3dn_words, same),
    "lakdnet_dual.npz": ("lakdnet_small_dual", lakdnet_words, same),
    "nrknet.npz": ("nrknet", nrknet_words, nrknet.to_rgb),
    "bambnet.npz": ("bambnet", bambnet_words, bambnet.to_rgb),
    "iniknet.npz": ("iniknet", iniknet_words, iniknet.to_rgb),
    "lakdnet_single.npz": ("lakdnet_small", lakdnet_words, same),
    "restormer_single.npz": ("restormer", restormer_words, same),
    "restormer_dual.npz": ("restormer_dual", restormer_words, same),
    "drbnet_single.npz": ("drbnet", drbnet_words, same),
    "drbnet_dual.npz": ("drbnet_dual", drbnet_words, same),
    "deeprft.npz": ("deeprft", deeprft_words, same),
}
KERAS = {
    "dpdnet_single_w8.npz": ("dpdnet_single", divided(64), dpdnet_rgb),
    "dpdnet_dual_w8.npz": ("dpdnet_dual", divided(64), dpdnet_rgb),
    "mdp.npz": ("mdp", divided(64), mdp_rgb),
    "rdpd_image.npz": ("rdpd", divided(32), rdpd.to_rgb),
}
TENSORLAYER = {
    "kpac_2level.npz": ("kpac_2level", kpac_words, same),
    "kpac_3level.npz": ("kpac_3level", kpac_words, same),
    "kpac_dual.npz": ("kpac_3level_dual", kpac_words, same),
}
MODULE = {"ifan": "module.", "ifan_dual": "module.", "k3dn_large": "module."}


def write_keras(path, arrays, layer_name):
    """Writes `NN/kernel`, `NN/bias` as the layers of a whole model of Keras 2."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            number, _, kind = name.partition("/")
            layer = layer_name(int(number))
            file[f"model_weights/{layer}/{layer}/{kind}:0"] = array
        file["optimizer_weights/Adam/iterations:0"] = 7
    return path


def convolution_name(index):
    return f"conv2d_{index}" if index else "conv2d"


def rdpd_name(index):
    if index == 9:
        return "conv_lstm2d"
    return f"time_distributed_{index + index // 3}" if index else "time_distributed"


def write_list(path, arrays):
    """Writes TensorLayer's list of arrays without names."""
    values = np.empty(len(arrays), object)
    values[:] = [arrays[name] for name in sorted(arrays)]
    np.savez(path, params=values)
    return path


def assert_same_as_load_official(folder, model, words, arrays):
    """Bit for bit."""
    expected = create_model(model, variant="released", **words)
    load_official(expected, arrays)
    found = weights.read_weights(folder / "weights.npz")
    names = weights.variable_names(expected)
    assert sorted(names) == sorted(found)
    for name, theirs in zip(names, expected.get_weights()):
        assert found[name].tobytes() == theirs.tobytes(), name
    config = json.loads((folder / "config.json").read_text())
    assert config["overrides"] == {"variant": "released", **words}


def convert_and_compare(row, name, path, tmp_path):
    model, words, to_rgb = row
    config, arrays = official(name)
    words = words(config)
    summary = convert(model, [path], tmp_path / "preset", words)
    assert "bit for bit" in summary
    assert_same_as_load_official(tmp_path / "preset", model, words, to_rgb(arrays))


@pytest.mark.parametrize("name", TORCH)
def test_torch_archives_become_presets(name, tmp_path):
    beginning = MODULE.get(TORCH[name][0], "")
    arrays = {f"{beginning}{n}": a for n, a in official(name)[1].items()}
    path = write_tensors(tmp_path / "theirs.pth", arrays)
    convert_and_compare(TORCH[name], name, path, tmp_path)


def test_an_older_torch_file_beside_an_optimizer_becomes_a_preset(tmp_path):
    def training_state(state):
        optimizer = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 1e-4}]}
        return {"epoch": 9, "state_dict": state, "optimizer": optimizer}

    name = "gkmnet.npz"
    arrays = {f"module.{n}": a for n, a in official(name)[1].items()}
    path = write_legacy(tmp_path / "theirs.pth", arrays, training_state)
    convert_and_compare(TORCH[name], name, path, tmp_path)
    text = converter.list_tensors([path])
    assert "state_dict/module.in_block.conv.0.weight (32, 3, 3, 3) float32" in text


@pytest.mark.parametrize("name", KERAS)
def test_keras_files_become_presets(name, tmp_path):
    layer_name = rdpd_name if name.startswith("rdpd") else convolution_name
    path = write_keras(tmp_path / "theirs.hdf5", official(name)[1], layer_name)
    convert_and_compare(KERAS[name], name, path, tmp_path)


@pytest.mark.parametrize("name", TENSORLAYER)
def test_tensorlayer_lists_become_presets(name, tmp_path):
    path = write_list(tmp_path / "theirs.npz", official(name)[1])
    convert_and_compare(TENSORLAYER[name], name, path, tmp_path)


def test_tensorlayer_arrays_with_names_become_a_preset(tmp_path):
    name, path = "dmenet.npz", tmp_path / "theirs.npz"
    np.savez(path, **official(name)[1])
    row = ("dmenet", divided(64), same)
    convert_and_compare(row, name, path, tmp_path)


def test_the_two_files_of_dddnet_become_one_preset(tmp_path):
    config, arrays = official("dddnet.npz")
    words = {"width_divisor": config["width_divisor"]}
    paths = []
    for part in ("Estd.", "Esti."):
        half = {
            f"module.{name.removeprefix(part)}": array
            for name, array in arrays.items()
            if name.startswith(part)
        }
        paths.append(write_tensors(tmp_path / f"{part}pkl", half))
    convert("dddnet", paths, tmp_path / "preset", words)
    assert_same_as_load_official(tmp_path / "preset", "dddnet", words, arrays)
