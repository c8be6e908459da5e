"""Makes tiny copies of the datasets' folder trees, with the traps that real ones hold.

    python tests/dataset_trees.py dpdd_official /tmp/trees
    python tests/dataset_trees.py dpdd_official /tmp/trees --trap truncated

The pictures are noise of a few pixels; names, folders, bit depths and pairings are
those of the published sets, so that a builder can be tried before gigabytes are
fetched. The first line printed is the folder to pass as --manual_dir.
"""

import pathlib
import sys

import cv2
import numpy as np
from absl import app, flags
from scipy import io

from tf_defocus.data import published_maps
from tf_defocus.data.published_files import IMAGE_EXTENSIONS

SHAPE = (12, 18, 3)
SPLIT_LISTS = pathlib.Path(__file__).parent.parent / "datasets" / "dpdd" / "splits"


def write_image(path, seed=0, dtype=np.uint16, shape=SHAPE):
    """Writes noise in RGB and returns it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    high = np.iinfo(dtype).max + 1
    image = np.random.default_rng(seed).integers(0, high, shape).astype(dtype)
    stored = image[..., ::-1] if image.ndim == 3 else image
    if not cv2.imwrite(str(path), stored):
        raise OSError(f"{path} cannot be written")
    return image


def write_pfm(path, values):
    """Writes (height, width) floats as a little-endian PFM, rows from the bottom."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = values.shape
    header = f"Pf\n{width} {height}\n-1.0\n".encode()
    path.write_bytes(header + values[::-1].astype("<f4").tobytes())


def write_mat(path, values, name="blurMap"):
    """Writes a matrix as a compressed MATLAB file of version 5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    io.savemat(path, {name: values}, do_compression=True)


def dpdd_pairs(split, scenes=None):
    """The first published (source, target) names of a split; all if None."""
    lines = (SPLIT_LISTS / f"{split}.txt").read_text().splitlines()
    return [tuple(line.split()) for line in lines[:scenes]]


def write_dpdd_lists(folder, scenes):
    """Shortened lists of pairs, for a `DpddConfig(lists=folder)` of few scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "val", "test"):
        lines = (" ".join(pair) + "\n" for pair in dpdd_pairs(split, scenes))
        (folder / f"{split}.txt").write_text("".join(lines))
    return folder


def dpdd_official(root, scenes=None, name="dd_dp_dataset_canon"):
    """{train,val,test}_{c,l,r}/source and _c/target; targets have their own numbers."""
    seed = 0
    for split in ("train", "val", "test"):
        for source, target in dpdd_pairs(split, scenes):
            for view, suffix in (("c", ""), ("l", "_L"), ("r", "_R")):
                folder = root / name / f"{split}_{view}" / "source"
                write_image(folder / f"{source}{suffix}.png", seed := seed + 1)
            folder = root / name / f"{split}_c" / "target"
            write_image(folder / f"{target}.png", seed := seed + 1)
    return root / name


def dpdd_ifan(root, scenes=None):
    """The official tree below DPDD/."""
    return dpdd_official(root, scenes, "DPDD")


def dpdd_restormer(root, scenes=None):
    """{train,val,test}/input{C,L,R} and target; train unpacked one folder deeper."""
    base, seed = root / "DPDD", 0
    for split in ("train", "val", "test"):
        folder = base / split / split if split == "train" else base / split
        pairs = dpdd_pairs(split, scenes)
        for source, target in pairs:
            for view, suffix in (("C", ""), ("L", "_L"), ("R", "_R")):
                name = f"input{view}/{source}{suffix}.png"
                write_image(folder / name, seed := seed + 1)
            write_image(folder / "target" / f"{target}.png", seed := seed + 1)
    positions = np.arange(1, len(pairs) + 1)  # of the test set
    np.save(base / "test" / "indoor_labels.npy", positions[::2])
    np.save(base / "test" / "outdoor_labels.npy", positions[1::2])
    return base


def dpdd_k3dn(root, scenes=None):
    """test_{c,l,r}/source and test_c/target with the same names everywhere."""
    base, seed = root / "DPDD", 0
    for source, _ in dpdd_pairs("test", scenes):
        for folder in ("c/source", "l/source", "r/source", "c/target"):
            write_image(base / f"test_{folder}" / f"{source}.png", seed := seed + 1)
    return base


def dpdd_patches(root, scenes=None):
    """DPDNet's patches: five-digit names, equal in all folders."""
    base, seed = root / "dd_dp_dataset_canon_patch", 0
    for split in ("train", "val"):
        for index in range(scenes or 20):
            for folder in ("c/source", "l/source", "r/source", "c/target"):
                path = base / f"{split}_{folder}" / f"{index:05d}.png"
                write_image(path, seed := seed + 1)
    return base


def realdof(root, scenes=None):
    """source and target of equal names, 8 bits."""
    for index in range(scenes or 50):
        for kind, name in enumerate(("source", "target")):
            path = root / "RealDOF" / name / f"{index:03d}.png"
            write_image(path, 2 * index + kind, np.uint8)
    return root / "RealDOF"


def cuhk_bd(root, scenes=None):
    """image/*.jpg with one name in capitals, gt/*.png, and motion blur beside them."""
    base = root / "CUHK"
    for index in range(1, (scenes or 704) + 1):
        suffix = ".JPG" if index == 2 else ".jpg"
        name = f"out_of_focus{index:04d}"
        write_image(base / "image" / f"{name}{suffix}", index, np.uint8)
        write_image(base / "gt" / f"{name}.png", index, np.uint8, SHAPE[:2])
    write_image(base / "image" / "motion0001.jpg", 0, np.uint8)
    write_image(base / "gt" / "motion0001.png", 0, np.uint8, SHAPE[:2])
    return base


def syndof(root, scenes=None):
    """image/*.png with one name in capitals, blur_map/*.png in three channels."""
    base = root / "SYNDOF"
    for index in range(1, (scenes or 8) + 1):
        suffix = ".PNG" if index == 2 else ".png"
        write_image(base / "image" / f"{index:04d}{suffix}", index, np.uint8)
        write_image(base / "blur_map" / f"{index:04d}.png", 100 + index, np.uint8)
    return base


def dpdd_pixel(root, scenes=None):
    """test_{c,l,r}/source, grey and upright, 16 bits, without targets."""
    shape, seed = (SHAPE[1], SHAPE[0]), 0
    for index in range(scenes or 13):
        for view, suffix in (("c", ""), ("l", "_L"), ("r", "_R")):
            name = f"test_{view}/source/{index:04d}{suffix}.png"
            write_image(root / "PixelDP" / name, seed := seed + 1, np.uint16, shape)
    return root / "PixelDP"


def lfdof(root, scenes=None):
    """Two photographs per scene, one all-in-focus image."""
    seed = 0
    for split, first in (("train_data", 1), ("test_data", 900)):
        base = root / "LFDOF" / split
        for scene in range(first, first + (scenes or 3)):
            name = f"IMG_{scene}"
            for aperture in ("_ap1", "_ap2"):
                path = base / "input" / f"{name}{aperture}.png"
                write_image(path, seed := seed + 1, np.uint8)
            path = base / "ground_truth" / f"{name}.png"
            write_image(path, seed := seed + 1, np.uint8)
    return root / "LFDOF"


def rtf(root, scenes=None):
    """The all-in-focus images and blur maps lack the right 20 columns."""
    for index in range(1, (scenes or 22) + 1):
        name = f"image_{index:02d}.png"
        folder = root / "RTF"
        write_image(folder / "input" / name, index, np.uint8, (12, 30, 3))
        write_image(folder / "target" / name, index + 99, np.uint8, (12, 10, 3))
        values = np.random.default_rng(index).uniform(0, 3, (12, 10))
        write_mat(folder / "gt" / f"image_{index:02d}.mat", values)
    return root / "RTF"


def ddd_syn(root, scenes=None):
    """{training,testing,testing1}/{dp,disp,gt}; the last two share ids."""
    seed = 0
    for split, first in (("training", 1), ("testing", 6001), ("testing1", 6001)):
        base = root / "NYU" / split
        for index in range(first, first + (scenes or 3)):
            for name in ("dp/{:04d}_l", "dp/{:04d}_r", "gt/{:04d}_m"):
                path = base / f"{name.format(index)}.png"
                write_image(path, seed := seed + 1, np.uint8)
            values = np.random.default_rng(seed).normal(0, 5, SHAPE[:2])
            write_pfm(base / "disp" / f"{index:04d}_dm.pfm", values)
    return root / "NYU"


def rdpd(root, scenes=None):
    """Sequences of frames; val and test hold the same one."""
    base = root / "dd_dp_dataset_synth_vid"
    for split, sequence in (("train", 1), ("val", 3), ("test", 3)):
        for frame in range(scenes or 3):
            for kind, name in enumerate(("c/source", "l/source", "r/source")):
                path = f"{split}_{name}/seq_{sequence:03d}/{frame:07d}.png"
                write_image(base / path, 9 * frame + kind, np.uint8)
            path = f"{split}_c/target/seq_{sequence:03d}/{frame:07d}.png"
            write_image(base / path, 9 * frame + 3, np.uint8)
    return base


def dpd_disp(root, scenes=None):
    """NNNN_{B,L,R}.jpg and NNNN_gt.tif in one folder."""
    seed = 0
    for index in range(101, 101 + (scenes or 100)):
        for kind in "BLR":
            path = root / "DPD-disp" / f"{index:04d}_{kind}.jpg"
            write_image(path, seed := seed + 1, np.uint8)
        path = root / "DPD-disp" / f"{index:04d}_gt.tif"
        write_image(path, seed := seed + 1, np.uint8, SHAPE[:2])
    return root / "DPD-disp"


def dp_folder(root, scenes=None):
    """{combined,left,right,target} with the same names, 16 bits."""
    base, seed = root / "photos", 0
    for index in range(1, (scenes or 3) + 1):
        for folder in ("combined", "left", "right", "target"):
            write_image(base / folder / f"IMG_{index:04d}.png", seed := seed + 1)
    return base


def _some_image(root):
    """The image a trap is set for: the third of the tree, in sorted order."""
    return sorted(path for path in root.rglob("*.*") if _is_image(path))[2]


def _is_image(path):
    return path.suffix.lower() in (".png", ".jpg") and path.name[0] != "."


def trap_eight_bit(root):
    """An 8-bit file in a 16-bit set."""
    path = _some_image(root)
    write_image(path, 7, np.uint8)
    return path


def trap_truncated(root):
    """A file whose download was cut off."""
    path = _some_image(root)
    path.write_bytes(path.read_bytes()[:-40])
    return path


def trap_tiff(root):
    """A file saved as TIFF."""
    path = _some_image(root)
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    path.unlink()
    cv2.imwrite(str(path.with_suffix(".tif")), image)
    return path.with_suffix(".tif")


def trap_upper_case(root):
    """An extension in capitals."""
    path = _some_image(root)
    return path.rename(path.with_suffix(path.suffix.upper()))


def trap_macos(root):
    """What the Finder leaves behind in every folder."""
    path = _some_image(root)
    for folder in {image.parent for image in root.rglob("*.*") if _is_image(image)}:
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        (folder / f"._{path.name}").write_bytes(b"\0\5\x16\7")
    return path


def trap_portrait(root):
    """All images and maps upright."""
    for path in sorted(root.rglob("*.*")):
        if path.suffix.lower() == ".pfm":
            write_pfm(path, published_maps.read_pfm(path)[..., 0].T)
        elif path.suffix.lower() in IMAGE_EXTENSIONS:
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            cv2.imwrite(str(path), np.ascontiguousarray(image.swapaxes(0, 1)))
    return root


def trap_renamed(root):
    """Every folder's images under names of their own: their order alone pairs them."""
    for folder in {image.parent for image in root.rglob("*.*") if _is_image(image)}:
        for index, path in enumerate(sorted(folder.iterdir())):
            name = f"{folder.parent.name}_{folder.name}_{index:03d}{path.suffix}"
            path.rename(folder / name)
    return root


def trap_missing(root):
    """A file that is not there."""
    path = _some_image(root)
    path.unlink()
    return path


def trap_misnamed(root):
    """A file under the name of another scene: the count is right, the pair is not."""
    path = _some_image(root)
    return path.rename(path.with_stem("1P0A9999"))


def trap_wrong_size(root):
    """A file of another size."""
    path = _some_image(root)
    dtype = np.uint16 if path.suffix.lower() == ".png" else np.uint8
    write_image(path, 7, dtype, (SHAPE[0], SHAPE[1] + 2, 3))
    return path


TREES = {
    "dpdd_official": dpdd_official,
    "dpdd_ifan": dpdd_ifan,
    "dpdd_restormer": dpdd_restormer,
    "dpdd_k3dn": dpdd_k3dn,
    "dpdd_patches": dpdd_patches,
    "dpdd_pixel": dpdd_pixel,
    "realdof": realdof,
    "cuhk_bd": cuhk_bd,
    "syndof": syndof,
    "lfdof": lfdof,
    "rtf": rtf,
    "ddd_syn": ddd_syn,
    "rdpd": rdpd,
    "dpd_disp": dpd_disp,
    "dp_folder": dp_folder,
}
TRAPS = {
    "eight_bit": trap_eight_bit,
    "truncated": trap_truncated,
    "tiff": trap_tiff,
    "upper_case": trap_upper_case,
    "macos": trap_macos,
    "portrait": trap_portrait,
    "renamed": trap_renamed,
    "missing": trap_missing,
    "misnamed": trap_misnamed,
    "wrong_size": trap_wrong_size,
}
_TRAP = flags.DEFINE_enum("trap", None, list(TRAPS), "What is wrong with the tree.")


def main(arguments):
    if len(arguments) != 3 or arguments[1] not in TREES:
        raise app.UsageError(f"give one of {', '.join(TREES)}, and a folder")
    name = "_".join(filter(None, (arguments[1], _TRAP.value)))
    folder = pathlib.Path(arguments[2]) / name
    if folder.exists():
        raise app.UsageError(f"{folder} exists; name another folder")
    root = TREES[arguments[1]](folder)
    print(root)
    if _TRAP.value:
        print(f"trap: {TRAPS[_TRAP.value](root)}")
    return 0


if __name__ == "__main__":
    sys.exit(app.run(main))
