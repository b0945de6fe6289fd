"""Says which ops of a model a device lacks, and which of its layers use them."""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import tfvae.export.signatures as signatures
from tfvae._keras import internals, op_watch
from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.export.signatures import Part

# How the converter names ops: in a list at the end, or one by one.
_LISTS = re.compile(r"^(?:Custom|Flex) ops: (.+)$", re.MULTILINE)
_SINGLE = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_LOCATION = re.compile(r'loc\(.*?fused\["\w+:?", "([^"]+)"\]')
# Every network reads its weights as it is traced, by ops that are not in its file.
_EVERYWHERE = ("VAR_HANDLE", "READ_VARIABLE")
# What a file has one op for, and TensorFlow several.
_WRITTEN_AS = {
    "ASSIGN_VARIABLE": ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
}
_MOST_USERS = 4
_LONGEST = 300


def refusal(error: Exception, parts: "Mapping[str, Part]") -> Exception:
    """Returns the exception to raise in place of one of the converter's.

    The ops come first, with the layers that use them, and the converter's own words last.

    Args:
        error: a `ConverterError`, `RuntimeError` or `InvalidArgumentError`.
        parts: what was converted, by name.
    """
    words = str(error).strip()
    expected = "a model whose ops all exist on the device"
    ops = _ops_of(words)
    if not ops:
        first = (words.splitlines() or [type(error).__name__])[0][:_LONGEST]
        return invalid(expected, first, "replace the op named here in the network or the piece")
    location = _LOCATION.search(words)
    place = f"; the converter's location: {location[1][:_LONGEST]}" if location else ""
    return invalid(expected, described(ops, parts), f"use ops that TFLite has there{place}")


def described(ops: Collection[str], parts: "Mapping[str, Part]") -> str:
    """Returns words for ops and who uses them.

    Args:
        ops: their names, TensorFlow's or TFLite's.
        parts: the parts of the model that may hold them, by name.

    Returns:
        Such as "Igamma, used by layer 'odd' (Unknown) in 'decoder/block'". An op of which no user
        is known has its name only.
    """
    sought = {op: _WRITTEN_AS.get(op, (op,)) for op in sorted(ops)}
    wanted = [name for op, names in sought.items() if op not in _EVERYWHERE for name in names]
    users = _users(wanted, parts)
    found = []
    for op, names in sought.items():
        named = [words for name in names for words in users.get(op_watch.plain(name), [])]
        more = f" and {len(named) - _MOST_USERS} more" if len(named) > _MOST_USERS else ""
        by = f", used by {', '.join(named[:_MOST_USERS])}{more}" if named else ""
        found.append(f"{op}{by}")
    return "; ".join(found)


def _ops_of(words):
    """Returns the sorted names of the ops that the converter's words name."""
    listed = ", ".join(_LISTS.findall(words)).split(", ")
    return sorted({op.strip() for op in (*listed, *_SINGLE.findall(words)) if op.strip()})


def _users(ops, parts):
    """Returns words for who uses each op, by its plain name. Each user is named once."""
    found: dict[str, list[str]] = {}
    for part in parts.values() if ops else ():
        made = op_watch.makers(signatures.part_as_function(part), part.specs, ops)
        for op, chains in made.items():
            words = found.setdefault(op, [])
            words.extend(dict.fromkeys(w for w in map(_user, chains) if w and w not in words))
    return found


def _user(layers):
    """Returns words for the innermost of the layers that were being called, if there is one."""
    inner = [layer for layer in layers if type(layer).__name__ != "VAE"]
    if not inner:
        return ""
    *around, last = inner
    place = f" in {'/'.join(internals.names_of(around))!r}" if around else ""
    return f"layer {last.name!r} ({type(last).__name__}){place}"
