"""Makes pieces from the words with which Python makes them. Nothing is evaluated.

`piece("Flow(flows.InverseAutoregressive())", "posteriors")` reads names of pieces, numbers, strings
and calls; for objectives `+` and `*` as well. All else is refused.
"""

import ast
import difflib
import importlib
import inspect
import operator
import re
from typing import Any

from tfvae.errors import InputError, InputTypeError, invalid

# Modules of pieces, each with its base class and what a message calls it.
_BASES = {
    "likelihoods": ("Likelihood", "a likelihood"),
    "priors": ("Prior", "a prior"),
    "posteriors": ("Posterior", "a posterior"),
    "objectives": ("Objective", "an objective"),
    "gradients": ("Estimator", "an estimator"),
}
# The arguments of a model that are pieces, and the module of each.
ROLES = {
    "likelihood": "likelihoods",
    "prior": "priors",
    "posterior": "posteriors",
    "objective": "objectives",
    "estimator": "gradients",
}
_MODULES = (*_BASES, "flows", "regularizers", "schedules")
_LONGEST = 500  # characters
_OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul}


def piece(text: str, module: str) -> Any:
    """Makes a piece from its words.

    Args:
        text: a name or a call, such as "DiscretizedLogisticMixture(10)" or "bernoulli".
        module: where its name is looked for first: "likelihoods", "priors", "posteriors",
            "objectives" or "gradients".

    Returns:
        The piece.

    Raises:
        InputError: words that are no piece of the module. The message names the nearest one.
    """
    try:
        if len(text) > _LONGEST:
            raise SyntaxError(f"it is longer than {_LONGEST} characters")
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _no_piece(text, module, str(error)) from error

    made = _Reader(text, module).value(tree)
    if not isinstance(made, _base(module)):
        raise _no_piece(text, module, f"a {type(made).__name__} is none")

    return made


def names(module: str) -> list[str]:
    """Returns the names of the pieces of a module, such as "priors", sorted."""
    found = {cls.__name__: cls for cls in _classes(module).values()}
    return sorted(name for name, cls in found.items() if issubclass(cls, _base(module)))


class _Reader:
    """Reads one text.

    Args:
        text: the words, for messages.
        module: where a name without a module is looked for first.
    """

    def __init__(self, text, module):
        self.text, self.module = text, module

    def value(self, node):
        """Returns what a part of the text stands for."""
        if isinstance(node, ast.Constant) and not isinstance(node.value, (bytes, complex)):
            return node.value
        if isinstance(node, (ast.Tuple, ast.List)):
            return tuple(map(self.value, node.elts))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._applied(operator.neg, [node.operand])
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return self._applied(_OPERATORS[type(node.op)], [node.left, node.right])
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._called(node, [], {})
        if isinstance(node, ast.Call) and all(keyword.arg for keyword in node.keywords):
            keywords = {keyword.arg: self.value(keyword.value) for keyword in node.keywords}
            return self._called(node.func, [self.value(a) for a in node.args], keywords)

        raise self._wrong(f"{ast.unparse(node)!r} is neither a name, a number nor a call")

    def _called(self, node, arguments, keywords):
        cls = self._class(node)
        try:
            return cls(*arguments, **keywords)
        except (InputError, InputTypeError, TypeError, ValueError) as error:
            raise self._wrong(f"{ast.unparse(node)}: {str(error).rstrip('.')}") from error

    def _applied(self, function, nodes):
        values = [self.value(node) for node in nodes]
        if any(isinstance(value, (str, tuple)) for value in values):  # "a" * 10**9
            raise self._wrong("only numbers and pieces are added or multiplied")

        try:
            return function(*values)
        except (TypeError, ValueError) as error:
            raise self._wrong(str(error)) from error

    def _class(self, node):
        """Returns the class that a name or `module.name` stands for."""
        *before, name = ast.unparse(node).split(".")
        first = before or [self.module]
        others = [] if before else [module for module in _MODULES if module != self.module]
        known: dict[str, Any] = {}
        for module in (*first, *others):
            known = {**_classes(module), **known}
        if name in known:
            return known[name]

        near = difflib.get_close_matches(name, sorted(known), 1, 0.6)
        raise self._wrong(f"{name!r} is not known" + (f"; is it {near[0]}?" if near else ""))

    def _wrong(self, reason):
        return _no_piece(self.text, self.module, reason)


def _no_piece(text, module, reason):
    shown = ", ".join(names(module))
    fix = f"use one of {shown}, with arguments as in Python"
    return invalid(f"{_BASES[module][1]} in Python's words", f"{text!r}: {reason}", fix)


def _base(module):
    return getattr(importlib.import_module(f"tfvae.{module}"), _BASES[module][0])


def _classes(module):
    """Returns the classes of a module that can be made, by name and by name in snake case."""
    if module == "schedules":
        from tfvae._keras.backend import keras

        source: Any = keras.optimizers.schedules
    elif module in _MODULES:
        source = importlib.import_module(f"tfvae.{module}")
    else:
        return {}

    members = inspect.getmembers(source, inspect.isclass)
    found = {name: cls for name, cls in members if not cls.__module__.endswith(".base")}
    return {**{_snake(name): cls for name, cls in found.items()}, **found}


def _snake(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
