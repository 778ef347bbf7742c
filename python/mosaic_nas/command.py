"""The command `mosaic`: starts the program with the LibTorch of the installed torch, without importing it."""
from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

_EXPECTED = "2.11"


def _stop(problem: str) -> NoReturn:
    sys.exit(f"mosaic: {problem}. Expected: torch {_EXPECTED}, whose LibTorch Mosaic computes with.\n"
             f"  What to do: {sys.executable} -m pip install 'torch=={_EXPECTED}.*'")


def _torch() -> tuple[Path, str]:
    """Folder of the installed torch, and its version.py."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        _stop(f"torch is not installed for {sys.executable}")
    folder = Path(spec.origin).parent
    text = (folder / "version.py").read_text() if (folder / "version.py").exists() else ""
    version = re.search(r"^__version__ = '(.*)'", text, re.MULTILINE)
    if version is None or not version[1].startswith(_EXPECTED + "."):
        _stop(f"torch in {folder} is version {version[1] if version else 'unknown'}")
    if not (folder / "lib/libtorch_cpu.so").exists():
        _stop(f"torch in {folder} has no lib/libtorch_cpu.so")
    return folder, text


def _gpu_seen() -> bool:
    return any(os.path.exists(device) for device in ("/dev/nvidiactl", "/dev/dxg"))


def main() -> NoReturn:
    torch, version = _torch()
    here = Path(__file__).resolve().parent
    libraries = [here / "lib", torch / "lib"]
    program = here / "bin/mosaic"
    # The program with CUDA kernels, where this wheel has it, torch is built for the same CUDA, and there is a GPU.
    if (here / "cuda").exists() and re.search(r"^cuda\b.*= '13\.", version, re.MULTILINE) and _gpu_seen():
        program = here / "cuda/bin/mosaic"
        libraries = [here / "cuda/lib", *libraries, *torch.parent.glob("nvidia/*/lib")]
    paths = [*map(str, libraries), os.environ.get("LD_LIBRARY_PATH", "")]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(path for path in paths if path)}
    os.execve(program, ["mosaic", *sys.argv[1:]], environment)
