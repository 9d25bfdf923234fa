"""Compiling the C code on the user's machine, once, with the C compiler that is there."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import secrets
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

from luthier.errors import ModelError
from luthier.models.files import cache_directory
from luthier.models.hardware import processor_features
from luthier.models.kept import sealed

SOURCES = tuple(Path(__file__).with_name(name) for name in ("encoder.c", "trainer.c", "gradients.c", "adamw.c"))
HEADERS = tuple(Path(__file__).with_name(f"{name}.h") for name in (
    "numbers", "products", "attention", "tuned", "dropout", "attention_back"))
NEEDED = ("amx_tile", "amx_bf16", "avx512_bf16", "avx512vl", "avx512bw", "avx512dq")
FLAGS = ("-O3", "-march=x86-64-v4", "-mavx512bf16", "-mamx-tile", "-mamx-bf16", "-shared", "-fPIC", "-lm")
SECONDS = 120
"""Compiling takes two."""


def lacking() -> list[str]:
    """Return what this machine would need to run the code, whoever compiles it."""
    lacks = [feature for feature in NEEDED if feature not in processor_features()]
    return lacks if platform.system() == "Linux" else [*lacks, "Linux"]


def impossible() -> str | None:
    """Return why this machine cannot run the compiled encoder; ``None`` when it can, once it is compiled."""
    lacks = lacking()
    if lacks:
        return f"this machine has no {', '.join(lacks)}"
    if not _place().is_file() and _compiler() is None:
        return "there is no C compiler (set CC, or install gcc or clang)"
    return None


@cache
def library() -> ctypes.CDLL:
    """Return the compiled library, compiling it if the cache has none.

    Raises:
        ModelError: this machine cannot run it, or the compiler failed.
    """
    why = impossible()
    if why is not None:
        raise ModelError(f"the compiled encoder cannot be used: {why}", "use --backend torch-bf16")
    opened = _opened(_place())
    if not opened.luthier_allow_tiles():
        raise ModelError("the compiled encoder cannot be used: this kernel does not let programs use AMX tiles",
                         "use --backend torch-bf16")
    for name in ("luthier_workspace", "luthier_tuning_scratch", "luthier_tuning_tokens"):
        opened[name].restype = ctypes.c_int64
    opened.luthier_tuning_scatter.restype = ctypes.c_double
    return opened


def _opened(place: Path) -> ctypes.CDLL:
    """Open the library; one that is damaged, as after a power cut, is compiled once more: to load it could crash."""
    if sealed(place):
        with suppress(OSError):
            return ctypes.CDLL(str(place))
    _compile(place)
    try:
        return ctypes.CDLL(str(place))
    except OSError as error:
        raise ModelError(f"the compiled encoder cannot be opened: {error}",
                         "set LUTHIER_CACHE to a directory that programs may run from, or use --backend torch-bf16",
                         ) from error


def _compile(place: Path) -> None:
    temporary = place.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        words = [str(_compiler()), *map(str, SOURCES), "-o", str(temporary), *FLAGS]
        ended = subprocess.run(words, check=False, capture_output=True, text=True, errors="replace",  # noqa: S603
                               timeout=SECONDS)
        if ended.returncode != 0:
            lines = [line for line in ended.stderr.strip().split("\n") if not line.startswith("collect2:")]
            said = next((line for line in lines if "error" in line), lines[-1] if lines else "")
            said = said or f"code {ended.returncode}"
            raise ModelError(f"the encoder cannot be compiled with {words[0]}: {said}",
                             "set CC to gcc 12 or clang 16 or newer, or use --backend torch-bf16")
        built = temporary.read_bytes()
        temporary.write_bytes(built + hashlib.sha256(built).digest())  # loading stops before: see ``sealed``
        os.replace(temporary, place)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"the encoder cannot be compiled into {place.parent}: {error}",
                         "set LUTHIER_CACHE to a directory that can be written, or use --backend torch-bf16") from error
    finally:
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)


def _compiler() -> str | None:
    named = os.environ.get("CC")
    return shutil.which(named) if named else shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def _place() -> Path:
    """Return the library's file; another source, other flags or another kind of machine give another name."""
    code = b"".join(file.read_bytes() for file in (*SOURCES, *HEADERS))
    told = code + repr((FLAGS, platform.machine(), platform.libc_ver())).encode()
    return cache_directory() / "native" / f"encoder-{hashlib.sha256(told).hexdigest()[:16]}.so"
