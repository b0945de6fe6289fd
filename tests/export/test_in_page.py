"""LiteRT.js and an exported file within a page, as one script and text.

What a browser makes of it is in tests/browser/test_report_live.py.
"""

import base64
import gzip
import json
import shutil

import pytest

from tests.conftest import matches
from tests.export.test_web import fake_install
from tfvae.errors import InputError
from tfvae.export import in_page

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share


def test_modules_become_one_script_of_functions():
    modules = {
        "./a.js": "const secret = 1;\nexport { secret as shown, twice };\n"
        "//# sourceMappingURL=a.map",
        "./b.js": 'import { shown as one } from "./a.js";\nexport async function* two() {}\n'
        "export class Three {}\nexport const four = import.meta.url + one;",
        "./c.js": 'import {\n  two,\n  Three,\n} from "./b.js";\nThree;',
    }
    assert in_page.as_one_script(modules) == (
        "const modulesOfPage = {};\n"
        'modulesOfPage["./a.js"] = (() => {\nconst secret = 1;\n\n\n'
        "return {  shown: secret, twice  };\n})();\n"
        'modulesOfPage["./b.js"] = (() => {\nconst {  shown: one  } = modulesOfPage["./a.js"];\n'
        "async function* two() {}\nclass Three {}\nconst four = import.meta.url + one;\n"
        "return { two, Three, four };\n})();\n"
        'modulesOfPage["./c.js"] = (() => {\n'
        'const { \n  two,\n  Three,\n } = modulesOfPage["./b.js"];\nThree;\n'
        "return {  };\n})();"
    )


@pytest.mark.parametrize(
    "line", ['import x from "./x.js";', 'import * as x from "./x.js";', "export default 3;"]
)
def test_a_module_of_another_form_is_refused(line):
    with pytest.raises(InputError, match=matches(r"\./a\.js", "in braces", "install @litertjs")):
        in_page.as_one_script({"./a.js": f"const a = 1;\n{line}"})


def test_a_script_cannot_end_that_of_the_page():
    assert in_page._within_html('"</Script>" "<!--" "<script" a < b') == (
        r'"\u003c/Script>" "\u003c!--" "\u003cscript" a < b'
    )


def test_all_of_it_is_there(exported, tmp_path):
    install = fake_install(tmp_path)
    wasm = "core/wasm/litert_wasm_compat_internal.wasm"
    (install / "@litertjs" / wasm).write_bytes(b"\0asm" * 100)
    file = exported / "batch_1.tflite"
    found = in_page.embedded(file, install, "own.js", 'import { Model } from "./model.js";\nModel;')
    unpacked = [gzip.decompress(base64.b64decode(each)) for each in (found.wasm, found.model)]
    assert unpacked == [b"\0asm" * 100, file.read_bytes()]
    assert json.loads(found.sidecar) == json.loads(file.with_suffix(".json").read_text())
    assert found.runtime == "//"
    names = ["@litertjs/wasm-utils", "@litertjs/core", "./sidecar.js", "./model.js", "./draw.js"]
    assert [found.script.count(f'modulesOfPage["{n}"] = ') for n in (*names, "./own.js")] == [1] * 6


def test_a_damaged_install_or_file_is_refused(exported, tmp_path):
    for name in ("batch_1.tflite", "batch_1.json"):
        shutil.copy(exported / name, tmp_path)
    file = tmp_path / "batch_1.tflite"

    def refused(*words, install):
        with pytest.raises(InputError, match=matches(*words)):
            in_page.embedded(file, install, "own.js", "")

    refused("node_modules", "no such folder", "npm install", install=tmp_path / "nowhere")
    without = ["core/wasm/litert_wasm_compat_internal.wasm"]
    refused("an install without", *without, install=fake_install(tmp_path / "a", without=without))
    refused("version 3.0.0", install=fake_install(tmp_path / "b", version="3.0.0"))
    file.write_bytes(file.read_bytes()[:-1])
    refused("sha256", install=fake_install(tmp_path / "c"))
