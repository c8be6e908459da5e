"""The kernels' arithmetic without TensorFlow, and what the builder caches."""

import shutil
import subprocess

import pytest

from tests.testing import ROOT
from tf_defocus.ops import build

SOURCES = ROOT / "tf_defocus" / "ops" / "cc"
TOOLCHAIN = build.Toolchain("9.9", (), (), cuda=False)

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


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc; no GPU")
def test_cuda_kernels_compile(tmp_path):
    source, target = SOURCES / "adaptive_convolution_cuda.cu", tmp_path / "kernels.o"
    subprocess.run(
        ["nvcc", *build.CUDA_FLAGS, "-c", str(source), "-o", str(target)], check=True
    )
    assert target.stat().st_size > 0


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
    other = build.Toolchain("9.10", (), (), cuda=False)
    assert build.library_path(other).name != path.name
    monkeypatch.delenv("TF_DEFOCUS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.library_path(TOOLCHAIN) == tmp_path / "tf_defocus" / path.name


def test_cached_library_is_not_built_again(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    build.library_path(TOOLCHAIN).write_bytes(b"")
    assert build.build(TOOLCHAIN) == build.library_path(TOOLCHAIN)


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
