"""Which tests a mutant is run against, and in which order."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

# Run no mutant: the first would notice each, the others build wheels or need an emulator.
NEVER = ("tests/test_mutants.py", "tests/test_packaging.py", "tests/export/test_arm64.py")
# Slow in all they do, so run only where no other file has noticed.
LAST = (
    "tests/models/test_conformance.py",
    "tests/test_examples.py",
    "tests/app/test_cli.py",
    "tests/export/test_web.py",
)
_SLOW = (1.0, 5.0)  # seconds from which a test is slow, and very slow
_USUAL = 0.5  # seconds of a test of which none are known
_FEW = 6  # files of tests that are run before all others
_SPECIFIC = 2  # the rank up to which a test names the class that is changed, see `_rank`

# How tests name what they do not import, by the start of a path.
_ANY_MODEL = r"\b(VAE|mlp_vae|conv_vae|hierarchical_vae|specimen|small|digits_vae)\b"
_TRAINS = r"\.(fit|evaluate|train_on_batch|test_on_batch|predict)\("
_WORDS = {
    "tfvae/models/vae.py": _ANY_MODEL,
    "tfvae/models/generation.py": _ANY_MODEL,
    "tfvae/ops/networks.py": _ANY_MODEL,
    "tfvae/models/builders.py": r"\b(mlp_vae|conv_vae|hierarchical_vae)\b",
    "tfvae/models/defaults.py": r"\bEnumeration\b",
    "tfvae/objectives/terms.py": r"\.(terms|log_weights|fit|evaluate)\(|\b(ELBO|IWAE)\b",
    "tfvae/gradients/": r"\b(gradients|Terms)\b",
    "tfvae/ops/noise.py": r"\.(terms|log_weights|fit|evaluate)\(|\bnoise\b",
    "tfvae/distributions/simplex.py": r"\b(Relaxed)?Categorical\b",
    "tfvae/ops/inverse_cdf.py": (
        r"\b(Poisson|NegativeBinomial|Categorical|ContinuousBernoulli|Discretized\w+)\b"
    ),
    "tfvae/seeds.py": r"\bseed=",
    "tfvae/evaluation.py": r"\bevaluation\b",
    "tfvae/models/block_estimates.py": r"\bevaluation\b",
    "tfvae/models/objective_step.py": _TRAINS + r"|\b(calls|subjects)\b",
    "tfvae/training/": _TRAINS + r"|\b(calls|subjects|CompiledFit\w*)\b",
    "tfvae/ops/weighting.py": r"\b(sample_weight|example_weights|weighting)\b",
    "tfvae/validation/": r"\bmatches\(",
    "tfvae/validation/data_checks.py": _TRAINS,
    "tfvae/app/training_commands.py": r"\b(cli|tfvae\(|CliRunner)\b|\"(train|evaluate)\"",
    "tfvae/app/file_commands.py": r"\b(cli|tfvae\(|CliRunner)\b|\"(sample|export|demo)\"",
    "tfvae/app/uses.py": r"\buses\b|\"(reconstruct|encode|interpolate|impute)\"",
    "tfvae/app/anomalies.py": r"\banomalies\b",
    "tfvae/app/settings.py": r"\b(runs|cli|settings)\b|\"train\"",
    "tfvae/app/runs.py": r"\b(runs|cli)\b|\"(train|evaluate|sample|export|demo)\"",
    "tfvae/datasets/binary.py": r"\b(binarize\w*|is_grey|dynamic_binarization)\b",
    "tfvae/datasets/named.py": r"\b(datasets|digits|cli)\b",
    "tfvae/datasets/dataset.py": r"\b(datasets|digits|cli)\b",
    "tfvae/datasets/arrays.py": r"\bdatasets\b",
    "tfvae/datasets/pictures.py": r"\b(datasets|pictures)\b",
    "tfvae/_files/": r"\b_files\b",
    "tfvae/_keras/": r"\b_keras\b",
    "tfvae/callbacks/": r"\b(callbacks|Checkpoint)\b",
    "tfvae/ops/scales.py": r"\b(scales|DiagonalNormal|Ladder|Hierarchy)\b",
    "tfvae/datasets/readers.py": r"\b(datasets|readers)\b",
    "export/": r"\b(export|to_tflite|to_saved_model|to_web|Sampler|exported)\b",
    "export/page/": r"\b(TFVAE_CHROMIUM|page|browser|chromium)\b",
}


class Target(NamedTuple):
    """What a mutant changes, as tests would name it.

    Attributes:
        owner: a pattern of the class around the mistake, or None.
        method: a pattern of the function around it, or None where tests do not call that.
        module: a pattern of the module and of its public names.
        about: a pattern of what else tests of it would name, or None.
        home: a pattern of the test files that are named after the module or its folder.
        aliases: what the zoo calls the class.
    """

    owner: str | None
    method: str | None
    module: str
    about: str | None
    home: str
    aliases: frozenset


def target_of(mutant, root):
    """The `Target` of a mutant of the tree at `root`."""
    path = Path(mutant.path)
    words = [pattern for start, pattern in _WORDS.items() if mutant.path.startswith(start)]
    if path.suffix != ".py":
        return Target(
            None, None, "|".join(words[-1:]), mutant.about or None, "browser", frozenset()
        )

    text = (root / path).read_text(encoding="utf-8")
    tree = ast.parse(text)
    stem = path.stem if path.stem != "base" else path.parent.name
    line = text[: text.index(mutant.old)].count("\n") + 1
    around = [node for node in _public(ast.walk(tree)) if node.lineno <= line <= node.end_lineno]
    classes = [node.name for node in around if isinstance(node, ast.ClassDef)]
    functions = [node.name for node in around if isinstance(node, ast.FunctionDef)]

    owner = rf"\b{classes[0]}\b" if classes else None
    before = r"\." if classes else rf"\b(?:(?:{stem}|tfvae|export)\.)?"
    method = rf"{before}{functions[-1]}\b" if functions else None
    prefixes = {True: r"\b", False: rf"\b{stem}\."}  # a class is named alone, a function is not
    names = [rf"{prefixes[node.name[0].isupper()]}{node.name}\b" for node in _public(tree.body)]
    imports = rf"\btfvae[\w.]*\.{stem}\b|\bimport (?:\w+, )*{stem}\b"

    module = "|".join([imports, *names, *words])

    homes = "|".join({path.stem, path.parent.name} - {"base", "tfvae"})
    return Target(owner, method, module, mutant.about or None, homes, _aliases(root, classes))


def _public(nodes):
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [node for node in nodes if isinstance(node, kinds) and not node.name.startswith("_")]


def _aliases(root, classes):
    """The names under which the zoo has a class."""
    zoo = (root / "tests" / "support" / "zoo.py").read_text(encoding="utf-8")
    pairs = []
    for node in ast.walk(ast.parse(zoo)):
        if isinstance(node, ast.Dict):
            pairs += [(key.value, ast.unparse(made)) for key, made in _entries(node)]

    named = [rf"\.{cls}\b" for cls in classes]

    return frozenset(name for name, made in pairs for cls in named if re.search(cls, made))


def _entries(node):
    """The entries of a dictionary whose keys are written out."""
    entries = zip(node.keys, node.values)
    return [(key, value) for key, value in entries if isinstance(key, ast.Constant)]


def rounds_for(target, root):
    """The test files that name what a mutant changes, from the root of the tree, in two rounds.

    The first has those that name what it is about, if there are any, the second has all.
    """
    named, about = [], []
    for file in sorted((root / "tests").rglob("test_*.py")):
        name = file.relative_to(root).as_posix()
        text = file.read_text(encoding="utf-8")
        if name in NEVER or _rank(target, "", text, "") is None:
            continue
        named.append(name)
        if target.about is not None and re.search(target.about, text + _helpers(file, text)):
            about.append(name)

    return [about, named] if 0 < len(about) < _FEW else [named]


def _helpers(file, text):
    """The text of the modules beside a test file that it names: its cases may be in them."""
    beside = [path for path in sorted(file.parent.glob("*.py")) if "test" not in path.stem]
    named = [path for path in beside if re.search(rf"\b{path.stem}\b", text)]
    return "".join(path.read_text(encoding="utf-8") for path in named)


def chosen(items, target, seconds, sources, skip, usual):
    """The tests to run, in order: those of the class before others, of both the quick ones first.

    Before all of them come those that name what the mutant is about.

    Args:
        items: `[(test id, name of its file), ...]`.
        target: a `Target`.
        seconds: how long tests took, by id, where that is known; of the others a little.
        sources: `{test id: source of the test}` and `{file name: its text}` in one dictionary.
        skip: ids of tests that are not to run.
        usual: the compositions that stand for all where what is changed is no piece of one.
    """
    ranked = []
    for test, file in items:
        rank = _rank(target, sources[test], sources[file], test)
        if rank is None or test in skip or not _is_composed_of(target, test, file, usual):
            continue
        took = seconds.get(test, _USUAL)
        # One that names what the mutant is about may take long: it is the likeliest to notice.
        slow = sum(took > limit for limit in _SLOW) if rank else 0
        ranked.append(((rank > _SPECIFIC, file in LAST, slow, rank, file), took, test))

    means: dict = {}
    for group, took, _ in ranked:
        means.setdefault(group, []).append(took)
    # Those of a file stay together, since its fixtures are made for all of them.
    ranked.sort(key=lambda r: (r[0][:4], sum(means[r[0]]) / len(means[r[0]]), r[0], r[1]))

    return [test for *_, test in ranked]


def _rank(target, source, text, test):
    """How specific a test is to what is changed, 0 the most, or None where it does not name it."""
    if target.about is not None and re.search(target.about, f"{test} {source}"):
        return 0
    owned = target.owner is not None and re.search(target.owner, source)
    at_home = re.search(rf"tests/[\w/]*({target.home})", test)
    called = target.method is not None and re.search(target.method, source)
    if called and (owned or at_home or target.owner is None):
        return 1
    if owned or at_home or target.aliases & set(_composition(test)):
        return 2
    if re.search(target.module, source):
        return 3
    named = filter(None, (target.owner, target.module, target.about))
    if any(re.search(pattern, text) for pattern in named):
        return 4

    return None


def _is_composed_of(target, test, file, usual):
    """Whether a test, if it is of a composition, is of one with the class that is changed."""
    composition = _composition(test)
    if file != "tests/models/test_conformance.py" or len(composition) < 2:
        return True
    if target.aliases:
        return bool(target.aliases & set(composition))

    return "-".join(composition) in usual


def _composition(test):
    """The names of the pieces in the id of a conformance test."""
    match = re.search(r"\[(.*)\]$", test)
    return match[1].split("-") if match else []
