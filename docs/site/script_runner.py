"""Runs scripts one after the other in a process, so that TensorFlow is imported once for them."""

import contextlib
import os
import runpy
import sys
import traceback

_QUIET = {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3"}


def begin():
    """Prepares the process, before anything of what scripts import is imported."""
    os.environ.update(_QUIET)


def run(path, folder):
    """Runs a script as a program, and keeps what it prints in the file `output`.

    Args:
        path: the script.
        folder: the folder to run it in.

    Returns:
        What went wrong, or "".
    """
    os.chdir(folder)
    problem = ""
    with _into("printed", sys.stdout), _into("told", sys.stderr):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as ending:
            problem = f"status {ending.code}" if ending.code else ""
        except BaseException:
            problem = traceback.format_exc()
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    if problem:
        return f"{problem}\n{(folder / 'told').read_text(encoding='utf-8')}"
    (folder / "told").unlink()
    (folder / "printed").rename(folder / "output")  # which says that all of it is there
    return ""


@contextlib.contextmanager
def _into(name, stream):
    """Sends a stream into a file, with what native code and other processes write."""
    stream.flush()
    number = stream.fileno()
    kept = os.dup(number)
    with open(name, "w", encoding="utf-8") as file:
        os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(kept, number)
        os.close(kept)
