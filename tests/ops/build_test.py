"""The kernels' arithmetic without TensorFlow, and what the builder caches."""

import dataclasses
import os
import platform
import shutil
import subprocess

import pytest

from tests.testing import ROOT
from tf_defocus.ops import build

SOURCES = ROOT / "tf_defocus" / "ops" / "cc"
TOOLCHAIN = build.Toolchain("9.9", (), (), gpu=False)

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="needs g++ to compile the kernels' arithmetic"
)


@needs_compiler
def test_arithmetic_equals_the_definition(tmp_path):
    program = tmp_path / "adaptive_convolution_test"
    source = ROOT / "tests" / "ops" / "cc" / "adaptive_convolution_test.cc"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{SOURCES}"]
    subprocess.run(["g++", *flags, str(source), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.splitlines()) == 4 * 5 * 2 * 2


@needs_compiler
@pytest.mark.parametrize("instructions", ["-march=native", "-msse2"])
@pytest.mark.parametrize(
    ("name", "cases"), [("winograd_test", 7 * 2 * 3), ("shared_dilations_test", 3)]
)
def test_convolutions_equal_the_definition(tmp_path, name, cases, instructions):
    if instructions == "-msse2" and platform.machine() != "x86_64":
        pytest.skip("other processors have no SSE2")
    program, source = tmp_path / name, ROOT / "tests" / "ops" / "cc" / f"{name}.cc"
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wno-psabi", "-Werror"]
    command = ["g++", *flags, instructions, f"-I{SOURCES}", str(source)]
    subprocess.run([*command, "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.splitlines()) == cases


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc; no GPU")
def test_library_for_a_gpu_links_through_a_wrapper_of_nvcc(monkeypatch, tmp_path):
    """Wrappers such as ccache's lie elsewhere than the toolkit's libraries."""
    native = pytest.importorskip("tf_defocus.ops.adaptive_convolution_native")
    wrapper = tmp_path / "bin" / "nvcc"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("nvcc")} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path / "cache"))
    toolchain = dataclasses.replace(native.toolchain(), gpu=True)
    library = build.build(toolchain)
    assert "-nvcc" in library.name
    assert b"cudaLaunchKernel" in library.read_bytes()


@pytest.mark.slow
@needs_compiler
def test_operation_compiles_for_cuda_without_a_gpu():
    tf = pytest.importorskip("tensorflow", reason="needs TensorFlow's headers")
    flags = [*tf.sysconfig.get_compile_flags(), "-DTF_DEFOCUS_CUDA", "-w"]
    source = SOURCES / "adaptive_convolution_kernels.cc"
    subprocess.run(["g++", "-fsyntax-only", *flags, str(source)], check=True)


def test_library_name_depends_on_version_and_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path))
    path = build.library_path(TOOLCHAIN)
    assert path.parent == tmp_path
    other = build.Toolchain("9.10", (), (), gpu=False)
    assert build.library_path(other).name != path.name
    monkeypatch.delenv("TF_DEFOCUS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.library_path(TOOLCHAIN) == tmp_path / "tf_defocus" / path.name


def compiler_of_version(folder, name, version):
    """A program that tells its version as compilers do, and can do nothing else."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {name} release {version}\n")
    program.chmod(0o755)
    return str(program)


def test_library_name_depends_on_the_compilers(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    names = set()
    for version in ("12.1", "13.2.0"):
        monkeypatch.setenv("CXX", compiler_of_version(tmp_path, "c++", version))
        names.add(build.library_path(TOOLCHAIN).name.partition("-cxx")[2])
        compiler_of_version(tmp_path, "nvcc", version)
        on_gpu = dataclasses.replace(TOOLCHAIN, gpu=True)
        names.add(build.library_path(on_gpu).name.partition("-cxx")[2])
    assert names == {
        "12.1-cpu.so",
        "12.1-nvcc12.1.so",
        "13.2.0-cpu.so",
        "13.2.0-nvcc13.2.0.so",
    }


def test_gpu_without_nvcc_is_named_and_nothing_is_built(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match="a GPU and no nvcc"):
        build.build(dataclasses.replace(TOOLCHAIN, gpu=True))
    assert not (tmp_path / "cache").exists()


def test_cached_library_is_not_built_again(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", compiler_of_version(tmp_path, "c++", "12.1"))
    library = build.library_path(TOOLCHAIN)
    library.write_bytes(b"")
    assert build.build(TOOLCHAIN) == library
    monkeypatch.setenv("CXX", "no-such-compiler")  # as where it is only run
    assert build.build(TOOLCHAIN) == library


def test_damaged_library_is_built_again(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path / "cache"))
    compiler = tmp_path / "c++"
    compiler.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo 12.1 && exit\n'
        'while [ "$1" != -o ]; do shift; done\nprintf library > "$2"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    library = build.build(TOOLCHAIN)
    assert library.read_bytes() == b"library" and build.is_whole(library)
    library.write_bytes(b"lib")  # loading half a library is a bus error
    assert not build.is_whole(library)
    assert build.build(TOOLCHAIN).read_bytes() == b"library"
    assert {path.suffix for path in library.parent.iterdir()} == {
        ".so",
        ".sha256",
        ".lock",
    }


def test_failing_compiler_is_reported_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(build.BuildError, match="false failed with 1"):
        build.build(TOOLCHAIN)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".lock"}


def test_unwritable_cache_is_reported(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(file))
    monkeypatch.setenv("CXX", "true")
    with pytest.raises(build.BuildError, match="cannot write"):
        build.build(TOOLCHAIN)
