"""Puts LiteRT.js and an exported file into a page that is one file, and opens from a disk.

Browsers load no modules and no WebAssembly of other files there. So the modules become one script,
and what is no script becomes text: compressed by gzip, in the letters of base64.
"""

import base64
import gzip
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import tfvae.export.sidecar as sidecar
import tfvae.export.web as web
from tfvae.errors import invalid

# The build without relaxed SIMD: it runs in all browsers, and gives the same numbers in them.
_BUILD = "wasm/litert_wasm_compat_internal"
# In place of @litertjs/wasm-utils, which loads the script that is in the page already.
_LOADER = """\
export async function createWasmLib(Library) {
  const made = await self.ModuleFactory(self.Module);
  self.ModuleFactory = self.Module = undefined;
  return new Library(made);
}
"""
_OURS = ("sidecar.js", "model.js", "draw.js")  # scripts of the page of `to_web`, in this order

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";?', re.MULTILINE)
_LIST = re.compile(r"^export \{([^}]*)\};?", re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const|let)\*? +(\w+))", re.MULTILINE)
_LEFT = re.compile(r"^(?:import\b(?! *[(.])|export\b).*", re.MULTILINE)
_AS = re.compile(r"(\w+) as (\w+)")


class Embedded(NamedTuple):
    """What a page holds in order to run an exported file.

    Attributes:
        runtime: a script without modules, LiteRT.js' own. It defines what starts the WebAssembly.
        script: a script of type module, in which the page's own comes last.
        wasm: the WebAssembly, packed.
        model: the exported file, packed.
        sidecar: the text of its sidecar.
        version: the version of LiteRT.js.
    """

    runtime: str
    script: str
    wasm: str
    model: str
    sidecar: str
    version: str


def embedded(file: Path, litert: str | os.PathLike[str], name: str, script: str) -> Embedded:
    """Returns what a page holds in order to run an exported file.

    Args:
        file: a `.tflite` with its sidecar beside it.
        litert: a `node_modules` folder with `@litertjs/core`.
        name: the name of the page's own script, for messages.
        script: the page's own script. It may import from `./model.js` and `./draw.js`.

    Raises:
        InputError: no install of LiteRT.js of a version that is known, a file that its sidecar
            does not describe, or that the scripts cannot run.
    """
    core = web.find_packages(Path(litert)) / "core"
    _, model = web.read_model(file)
    ours = web.assets()
    modules = {
        "@litertjs/wasm-utils": _LOADER,
        "@litertjs/core": _text(core / "dist" / "index.js"),
        **{f"./{each}": ours[each] for each in _OURS},
        f"./{name}": script,
    }
    return Embedded(
        _within_html(_text(core / f"{_BUILD}.js")),
        _within_html(as_one_script(modules)),
        packed((core / f"{_BUILD}.wasm").read_bytes()),
        packed(model),
        _within_html(_text(sidecar.sidecar_path(file))),
        json.loads(_text(core / "package.json"))["version"],
    )


def packed(content: bytes) -> str:
    """Returns bytes compressed by gzip, in the letters of base64.

    Args:
        content: the bytes.
    """
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def as_one_script(modules: Mapping[str, str]) -> str:
    """Returns modules as one script, in which each is a function that returns what it exports.

    Args:
        modules: the text of each by the name that others import it by, after what it imports.

    Raises:
        InputError: a module with an `import` or `export` of another form than this package's and
            LiteRT.js' own.
    """
    parts = [_as_function(name, text) for name, text in modules.items()]
    return "\n".join(["const modulesOfPage = {};", *parts])


def _as_function(name, text):
    exported = [found[2] for found in _EXPORT.finditer(text)]
    exported += [_AS.sub(r"\2: \1", found[1]) for found in _LIST.finditer(text)]
    body = _EXPORT.sub(r"\1", _LIST.sub("", _IMPORT.sub(_taken, text)))
    body = re.sub(r"^//# sourceMappingURL=.*", "", body, flags=re.MULTILINE)
    left = _LEFT.search(body)
    if left:
        fix = f"install @litertjs/core@{web.LITERT_VERSION}"
        raise invalid(f"{name} with imports and exports in braces", left[0], fix)
    returned = f"return {{ {', '.join(exported)} }};"
    return f"modulesOfPage[{json.dumps(name)}] = (() => {{\n{body}\n{returned}\n}})();"


def _taken(found):
    """Returns an import as what takes the names from the modules before."""
    names = _AS.sub(r"\1: \2", found[1])
    return f"const {{ {names} }} = modulesOfPage[{json.dumps(found[2])}];"


def _within_html(script):
    """Returns a script in which nothing ends or begins a script of the page around it."""
    return re.sub(r"<(?=/?script|!--)", r"\\u003c", script, flags=re.IGNORECASE)


def _text(path):
    return path.read_text(encoding="utf-8")
