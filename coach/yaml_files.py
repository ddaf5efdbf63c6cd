"""YAML files read strictly: duplicate keys, aliases, broken syntax and other encodings are errors that name the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from coach.errors import BankError

MAX_BYTES = 1_000_000
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_BASE):  # type: ignore[misc] # which of the two is known when it runs
    """libyaml's safe loader, to which a key that stands twice is an error."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        # What a tag or a look-alike of a date or number makes of an odd value, PyYAML lets through as it comes.
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            told = f"{str(node.value)[:40]!r} cannot be read as {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, told, node.start_mark) from error

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds.

    Raises:
        BankError: the file cannot be read, or holds no mapping; names file and line.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BankError(f"{path.name}: larger than {MAX_BYTES:,} bytes. Fix: is this the right file?")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BankError(f"{path.name}: cannot be read: {error.strerror}. Fix: check {path}.") from None
    except UnicodeDecodeError as error:
        raise BankError(f"{path.name}: byte {error.start} is not UTF-8. Fix: save the file as UTF-8.") from None
    try:
        _refuse_aliases(text)
        found = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise BankError(f"{path.name}:{where}: {problem}. Fix: correct the YAML there.") from None
    if not isinstance(found, dict):
        raise BankError(f"{path.name}: holds {type(found).__name__}, not keys with values. Fix: see the shipped bank.")
    return found


def _refuse_aliases(text: str) -> None:
    """A few aliases of aliases blow a small file up to gigabytes, and no bank needs one."""
    if "&" not in text or "*" not in text:
        return
    for token in yaml.scan(text, Loader=_BASE):
        if isinstance(token, yaml.AliasToken):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=token.start_mark)
