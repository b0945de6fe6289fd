"""Pages in Chromium, driven by `drive.mjs`, and what can be read off them."""

import base64
import contextlib
import functools
import io
import json
import subprocess
import threading
from pathlib import Path
from subprocess import PIPE

import numpy as np
from PIL import Image

from tfvae.app import demo_server

DRIVER = Path(__file__).parent / "drive.mjs"


def edit(path, **changes):
    """Changes keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@contextlib.contextmanager
def served(folder):
    """The address of a folder, as `tfvae demo` serves it."""
    with demo_server.make_server(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{demo_server.HOST}:{server.server_port}/"
        finally:
            server.shutdown()


@functools.cache
def _driver():
    """Node.js with one browser, for as long as this process lives: starting both takes a second."""
    return subprocess.Popen(["node", str(DRIVER)], stdin=PIPE, stdout=PIPE, text=True)


def browse(scenario, address, *, errors=False, **options):
    """What a scenario of `drive.mjs` found; `errors` allows some on the console."""
    driver = _driver()
    # A page that hangs ends the driver, whose answer is then empty.
    watch = threading.Timer(120, driver.kill)
    watch.start()
    try:
        print(json.dumps([scenario, address, options]), file=driver.stdin, flush=True)
        answer = driver.stdout.readline()
    finally:
        watch.cancel()

    if not answer:
        _driver.cache_clear()
        raise AssertionError(f"the browser's driver ended with {driver.wait()} in {scenario}")

    found = json.loads(answer)
    assert "failed" not in found, found
    assert errors or found["errors"] == []
    return found


def pixels(canvas):
    """A canvas, as the driver gives it, `[H, W, 4]`."""
    picture = Image.open(io.BytesIO(base64.b64decode(canvas.split(",")[1])))
    return np.array(picture.convert("RGBA"))


def cells(canvas, height, width):
    """The 16 pictures of a grid, four in a row: `[16, height, width, 3]`."""
    sheet = pixels(canvas)
    gap = (sheet.shape[1] - 4 * width) // 3
    assert sheet.shape[0] - 4 * height == 3 * gap
    rows, columns = (range(0, 4 * (size + gap), size + gap) for size in (height, width))
    pictures = np.stack([sheet[r : r + height, c : c + width] for r in rows for c in columns])
    assert (pictures[..., 3] == 255).all()
    return pictures[..., :3].astype(int)
