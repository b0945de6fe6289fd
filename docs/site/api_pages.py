"""Makes the pages of the reference: every public name, by its module, from the docstrings.

The names are read from the sources, where a public name of a package is `import x as x`, and of a
module a function or class without an underscore. Nothing is imported.
"""

import ast
import re

from mkdocs.structure.files import File
from repository_links import ROOT


def modules():
    """Returns the public modules, in the order of `tfvae.__all__`."""
    return ["tfvae", *(f"tfvae.{name}" for name in _names_of_list("_MODULES"))]


def names(module):
    """Returns the public names of a module.

    Args:
        module: its dotted name.
    """
    if module == "tfvae":
        return list(_names_of_list("_NAMES"))
    tree = _tree(_path(module))
    if _path(module).name == "__init__.py":
        imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
        found = [alias for node in imports for alias in node.names]
        return [alias.asname for alias in found if alias.asname == alias.name]
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]


def page(module):
    """Returns the Markdown of a module's page."""
    docstring = ast.get_docstring(_tree(_path(module))) or ""
    parts = [f"# {module}", _escaped(docstring)]
    parts += [f"::: {module}.{name}" for name in names(module)]
    return "\n\n".join(parts) + "\n"


def on_config(config):
    """Lists the pages in the navigation, as its last part."""
    pages = [{module: f"api/{module}.md"} for module in modules()]
    config.nav.append({"Reference": [{"All names": "api/index.md"}, *pages]})
    return config


def on_files(files, config):
    """Adds a page for each module, and one that lists them with all their names."""
    for module in modules():
        files.append(File.generated(config, f"api/{module}.md", content=page(module)))
    files.append(File.generated(config, "api/index.md", content=_index()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links the names of tables whose first column is headed by their module."""
    module, lines = None, []
    for line in markdown.split("\n"):
        head = re.match(r"\| `(tfvae\.\w+)` \|", line)
        module = head[1] if head else module if line.startswith("|") else None
        lines.append(_linked(line, module, page) if module and not head else line)
    return "\n".join(lines)


def _linked(row, module, page):
    """Links the names in the first cell of a row."""
    up = "../" * page.file.src_uri.count("/")
    known = set(names(module))

    def link(match):
        name = match[1]
        to = f"{up}api/{module}.md#{module}.{name}"
        return f"[`{name}`]({to})" if name in known else match[0]

    _, cell, rest = row.split("|", 2)
    return "|".join(["", re.sub(r"`(\w+)`", link, cell), rest])


def _index():
    rows = ["# All names", "", "| module | names |", "|---|---|"]
    for module in modules():
        found = ", ".join(f"[`{n}`]({module}.md#{module}.{n})" for n in names(module))
        rows.append(f"| [`{module}`]({module}.md) | {found} |")
    return "\n".join(rows) + "\n"


def _path(module):
    folder = ROOT.joinpath(*module.split("."))
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def _tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def _names_of_list(name):
    """Returns the keys of a list or dictionary at the top of `tfvae/__init__.py`."""
    for node in _tree(_path("tfvae")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return list(ast.literal_eval(node.value))
    raise LookupError(name)


def _escaped(text):
    """Lets what a docstring writes as p(z|x) be words, and no HTML."""
    return text.replace("<", "&lt;")
