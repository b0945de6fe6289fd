"""What the page may load, and by which hash: its content-security policy and integrity."""

import base64
import hashlib
import json
import re

# SHA-384 of the files of LiteRT.js that the page loads, of the npm packages of
# `web.LITERT_VERSION`. jsDelivr serves the files of a package as they are.
_SHA384 = {
    "core/dist/index.js": ("MapSVJ/DPwvaWpp7q+Bid9O3uY1oB0KOU1QRMP+Mm5zdz5oMme/BUyX6dVAMWnPg"),
    "wasm-utils/dist/index.js": (
        "HIPwlWsctS5BRqrnvJKDVJ8SvqKB0QmiImdr6+hpP7+8UqeMJX/qrBkdfKQV2WZ/"
    ),
    "core/wasm/litert_wasm_internal.js": (
        "NB/Wc4iozynQO5jzJ2VFoMKbqMvwwFGWxJL/o63IJT6W2JfZbsSLxA2cF6H/mLpQ"
    ),
    "core/wasm/litert_wasm_internal.wasm": (
        "AZ/Ak4CbDpjqpSr8WsnoL3Dcx6bDFA/k9b/jahok1TGHZ2OqIRjLBMiEmiNedhlC"
    ),
    "core/wasm/litert_wasm_compat_internal.js": (
        "oh4nb8zDq6eVOpGeZE5gwDOJ16QujHLL8k/HEXt3XiPxr+8zn3YnkXP8P3BlJET1"
    ),
    "core/wasm/litert_wasm_compat_internal.wasm": (
        "glAZ6WjS7tLRt89pbTPXvLC1c7DCaVSfL2ngn5gZJiUuPs76fWYJy7ZeFaD0PJXx"
    ),
}
_LITERT = re.compile(r"https://cdn\.jsdelivr\.net/npm/@litertjs/[A-Za-z0-9@._/-]+")


def integrity(address: str) -> dict[str, str]:
    """Returns the hashes of LiteRT.js on another server, `{address of a file: hash}`.

    Args:
        address: the address of a file, with `{package}` and `{file}` to fill in.
    """
    found = {}
    for path, digest in _SHA384.items():
        package, _, file = path.partition("/")
        found[address.format(package=package, file=file)] = f"sha384-{digest}"
    return found


def policy(import_map: str, outside: dict[str, str]) -> str:
    """Returns the content-security policy of the page.

    Args:
        import_map: the text of the one script within the page.
        outside: the hashes of files of another server, by address; empty for a page that has
            all its files.
    """
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    modules = [address for address in outside if address.endswith("/dist/index.js")]
    fetched = [address for address in outside if address not in modules]
    # What was fetched by its hash is run from a blob.
    scripts = ["'self'", "'wasm-unsafe-eval'", f"'sha256-{digest}'", *modules]
    allowed = {
        "default-src": ["'none'"],
        "script-src": [*scripts, "blob:"] if outside else scripts,
        "connect-src": ["'self'", *fetched],
        "style-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in allowed.items())


def header(page: str) -> str:
    """Returns the policy that a server sends with a page and its files.

    It is made of the page's import map, and not copied from the page, which may be anybody's: of
    other servers it allows the one that has LiteRT.js alone.

    Args:
        page: the text of `index.html`, or "".
    """
    found = re.search(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    import_map = found[1] if found else ""
    return f"{policy(import_map, _outside(import_map))}; frame-ancestors 'none'"


def _outside(import_map):
    """Returns the hashes in an import map, of files of LiteRT.js alone."""
    try:
        hashes = json.loads(import_map)["integrity"]
        return {address: hashes[address] for address in hashes if _LITERT.fullmatch(address)}
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
