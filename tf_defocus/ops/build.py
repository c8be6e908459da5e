"""Compiles the native operations; `tools/build_native.py` calls it.

A library fits one TensorFlow version, one processor and one state of the sources, so
its name in the cache carries a digest of all three, then the compilers: one made
without `nvcc` is not taken for one that holds the GPU's half. The cache is
`$TF_DEFOCUS_CACHE`, else `$XDG_CACHE_HOME/tf_defocus`, else `~/.cache/tf_defocus`.
Beside it lies its sha256: a library that was cut off would end the process that loads
it, so a damaged one is built again.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import tempfile

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SOURCES = pathlib.Path(__file__).resolve().parent / "cc"
OPTIMISATION = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math")
CUDA_FLAGS = ("-O3", "-std=c++17", "--extended-lambda", "-Xcompiler", "-fPIC")
TIMEOUT = 600  # seconds; a build takes about twenty
DIGEST = ".sha256"  # ending of the file beside a library


class BuildError(RuntimeError):
    """The compiler is missing or refused the sources."""


@dataclasses.dataclass(frozen=True)
class Toolchain:
    """What a build depends on besides the sources.

    Attributes:
        version: str, of TensorFlow.
        compile_flags, link_flags: tuple of str, as TensorFlow states them.
        gpu: bool, whether TensorFlow sees a GPU, for which `nvcc` compiles.
    """

    version: str
    compile_flags: tuple
    link_flags: tuple
    gpu: bool


def cache_directory():
    """Folder of the compiled libraries."""
    override = os.environ.get("TF_DEFOCUS_CACHE")
    if override:
        return pathlib.Path(override)
    root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(root) / "tf_defocus"


def library_path(toolchain):
    """Where the library for this TensorFlow, processor and source lies, or will.

    Its name ends with the compilers' versions. Where there is no compiler, as on a
    machine that only runs what was built elsewhere, the newest of any compiler does.
    """
    digest = hashlib.sha256(repr((toolchain, OPTIMISATION)).encode())
    digest.update(_processor().encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.read_bytes())
    stem = f"adaptive_convolution-{digest.hexdigest()[:16]}"
    compiler, cuda = _version(_compiler()), "cpu"
    if toolchain.gpu:
        cuda = f"nvcc{_version([_nvcc()])}"
    if not compiler:
        found = cache_directory().glob(f"{stem}-*-{cuda}.so")
        return max(found, key=os.path.getmtime, default=cache_directory() / stem)
    return cache_directory() / f"{stem}-cxx{compiler}-{cuda}.so"


def build(toolchain):
    """Compiles the library unless it is there, whole.

    Args:
        toolchain: `Toolchain`.

    Returns:
        pathlib.Path of the library.

    Raises:
        BuildError: if there is no compiler or it fails; if there is a GPU and no
            `nvcc`, as a kernel for the processor alone would fetch every tensor from
            the GPU and send it back.
    """
    nvcc = _nvcc() if toolchain.gpu else None
    target = library_path(toolchain)
    if is_whole(target):
        return target
    compiler = _compiler()
    if shutil.which(compiler[0]) is None:
        raise BuildError(f"no C++ compiler {compiler[0]!r}; install g++ or set CXX")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target), tempfile.TemporaryDirectory(dir=target.parent) as folder:
            if not is_whole(target):  # another process may have built it meanwhile
                library = pathlib.Path(folder) / target.name
                _compile(compiler, nvcc, toolchain, library)
                _place(library, target)
    except OSError as error:
        raise BuildError(f"cannot write to {target.parent}: {error}") from error
    return target


def is_whole(library):
    """Whether a library is there and what was built; one without sha256 is believed."""
    if not library.exists():
        return False
    expected = library.with_suffix(DIGEST)
    return not expected.exists() or expected.read_text().strip() == _sha256(library)


def _place(library, target):
    """Gives a library its name, after its sha256's."""
    target.unlink(missing_ok=True)  # a damaged one, else it is believed for a moment
    digest = library.with_suffix(DIGEST)
    digest.write_text(f"{_sha256(library)}\n")
    os.replace(digest, target.with_suffix(DIGEST))
    os.replace(library, target)


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _compiler():
    return shlex.split(os.environ.get("CXX") or "g++")


def _nvcc():
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        raise BuildError(
            "there is a GPU and no nvcc to compile for it; install a CUDA toolkit that "
            "is no newer than the driver, and put its bin on PATH"
        )
    return nvcc


def _version(command):
    """The number that `command --version` ends with, or "" where it does not run."""
    try:
        done = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, timeout=TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    numbers = re.findall(r"\d+(?:\.\d+)+", done.stdout)
    return numbers[-1] if numbers else "0"


@contextlib.contextmanager
def _lock(target):
    """Lets one process build and the others wait, where the system has file locks."""
    with open(target.with_suffix(".lock"), "w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(compiler, nvcc, toolchain, library):
    flags = [*OPTIMISATION, *toolchain.compile_flags, "-Wno-deprecated-declarations"]
    sources = [str(path) for path in sorted(SOURCES.glob("*.cc"))]
    output = ["-o", str(library)]
    if nvcc is None:
        link = [*sources, *toolchain.link_flags, *output]
        return _run([*compiler, "-shared", "-fPIC", *flags, *link])
    objects = [str(library.with_name(f"{pathlib.Path(s).stem}.o")) for s in sources]
    for source, target in zip(sources, objects):
        command = [*compiler, "-c", "-fPIC", *flags, "-DTF_DEFOCUS_CUDA", source]
        _run([*command, "-o", target])
    objects.append(str(library.with_suffix(".o")))
    kernels = str(SOURCES / "adaptive_convolution_cuda.cu")
    _run([nvcc, *CUDA_FLAGS, "-c", kernels, "-o", objects[-1]])
    # nvcc links, since it alone knows where its libraries are
    link = [word for flag in toolchain.link_flags for word in ("-Xlinker", flag)]
    _run([nvcc, "-shared", "-cudart", "static", *objects, *link, *output])


def _run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[0]} took over {TIMEOUT} s") from error
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error" in line]
        reason = (errors or done.stderr.splitlines() or ["no message"])[0]
        raise BuildError(f"{command[0]} failed with {done.returncode}: {reason}")


def _processor():
    """The instruction sets that -march=native chooses from."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()
