"""Copies of the tree, each with a process that runs tests in it."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


class Copy:
    """A copy of the tree in which one mutant at a time is planted.

    Args:
        root: the tree.
        folder: where to put the copy.
    """

    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        _copy_tree(root, folder)
        # Without a GPU, whose driver cannot be forked.
        own = {"PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        command = [sys.executable, "-m", "tests.mutation.worker"]
        ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, cwd=root, env={**os.environ, **own}, **ends)

    @contextlib.contextmanager
    def planted(self, mutant):
        """Within it, the copy has the mistake; after it, the file is as it was."""
        file = self.folder / mutant.path
        text = file.read_text(encoding="utf-8")
        file.write_text(mutant.applied(text), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(text, encoding="utf-8")

    def run(self, **job):
        """Runs tests in the copy, see `worker.run`."""
        self._process.stdin.write(json.dumps({"copy": str(self.folder), **job}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process of a copy has ended with {self._process.wait()}")

        return json.loads(answer)

    def close(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


def _copy_tree(root, folder):
    """Copies what git would commit, links as links."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        source, target = Path(root) / name, Path(folder) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() or source.exists():
            shutil.copy(source, target, follow_symlinks=False)
