"""A YAML file as plain data, with the place of every key and value: so messages name lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from protocols.errors import ConfigError, Mistake

Path_ = tuple[str | int, ...]
"""Way from the root to a value: keys of maps and positions in lists."""
ALIASED: Final = 20_000
"""So many values more than characters a file may have: only aliases (`*name`), written out, make any more."""

DEEPEST: Final = 50
"""So many lists and maps inside one another a file may have; the settings need eight."""

_MOST_DIGITS: Final = 40
"""Python refuses to read thousands of them, by an error that is no mistake in a file."""


class _TooLargeError(Exception):
    """Too many values through aliases; its argument is the path where the count ran over."""


class _Loader(yaml.CSafeLoader):
    """YAML 1.2 scalars: `on`, `yes`, dates and 12:30 stay text, as a technician who types names expects."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


@dataclass(slots=True)
class Document:
    """One file. `places` maps a path to the 1-based (line, column) of its value, `keys` of its key.

    `most` is how many values it may have: a dozen aliases of aliases would be a billion.
    """

    file: str
    data: Any = None
    places: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    most: int = ALIASED
    mistakes: list[Mistake] = field(default_factory=list)

    def mistake(self, path: Path_, problem: str, expected: str, repair: str, *, at_key: bool = False) -> None:
        """Note a mistake at `path`, or at its nearest ancestor that is written in the file."""
        line, column = self.place(path, at_key=at_key)
        self.mistakes.append(Mistake(self.file, line, column, dotted(path), problem, expected, repair))

    def place(self, path: Path_, *, at_key: bool = False) -> tuple[int, int]:
        """Return the 1-based line and column of a path; (0, 0) where nothing of it is written."""
        if at_key and path in self.keys:
            return self.keys[path]
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, (0, 0))


def dotted(path: Path_) -> str:
    """Return `devices[3].params.unit` for a path."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out


def read(path: Path) -> Document:
    """Read a YAML file; what is wrong with it is in `mistakes`, and `data` is then None."""
    try:
        return parse(path, text_of(path))
    except ConfigError as error:
        return Document(str(path), mistakes=error.mistakes)


def text_of(path: Path) -> str:
    """Return the text of a file. Raises ConfigError where there is none."""
    document = Document(str(path))
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        document.places[()] = (line, 1)
        document.mistake(
            (),
            f"byte 0x{error.object[error.start]:02X} in this line is not UTF-8",
            "a YAML file in UTF-8",
            "save the file as UTF-8; an editor on Windows may have written GBK or Latin-1",
        )
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        document.mistake((), problem, "a YAML file in UTF-8", _repair(error, path))
    raise ConfigError(document.mistakes)


def parse(path: Path, text: str) -> Document:
    """Read YAML text that lies, or will lie, at `path`; mistakes name that file."""
    document = Document(str(path))
    try:
        deep = _too_deep(text)
        if deep is not None:
            document.places[()] = deep
            _say_deep(document, ())
            return document
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.places[()] = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        document.mistake(
            (), f"is not YAML: {problem}", "YAML", "indent with spaces, close every quote and bracket"
        )
        return document
    except yaml.YAMLError as error:
        document.places[()] = (1, 1)
        document.mistake((), f"is not YAML: {error}", "YAML text in UTF-8", "remove the characters named")
        return document
    if root is None:
        document.places[()] = (1, 1)
        document.mistake(
            (), "is empty", "a map of settings", "start from an example in firmware_configs/gateways"
        )
        return document
    document.most = len(text) + ALIASED
    try:
        document.data = _build(document, root, (), frozenset())
    except _TooLargeError as error:
        document.data = None
        document.mistakes.clear()
        document.mistake(
            error.args[0],
            f"aliases (`*name`) make more than {document.most} values of a file of {len(text)} characters",
            "aliases of a few values, if any",
            "remove aliases of aliases; write the values out",
        )
    return document


def _too_deep(text: str) -> tuple[int, int] | None:
    """Return where a text goes deeper than `DEEPEST`: composing it would overrun the stack, and no `except`
    would see that. Events come one by one, however deep it is.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                mark = event.start_mark
                return (mark.line + 1, mark.column + 1) if mark else (1, 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _say_deep(document: Document, path: Path_) -> None:
    document.mistake(
        path,
        f"more than {DEEPEST} lists and maps lie inside one another here",
        "the settings of docs/configuration.md",
        "close the brackets, or write out what aliases (`*name`) put inside one another",
    )


def _repair(error: OSError, path: Path) -> str:
    """Return what to do about a file that the system does not give."""
    if isinstance(error, IsADirectoryError):
        return f"name the file, not its folder: {path / 'gateway.yaml'}"
    if isinstance(error, PermissionError):
        return "run this as the gateway's user, or give yourself the right to read the file"
    return f"check that {path} exists"


def _build(document: Document, node: yaml.Node, path: Path_, above: frozenset[int]) -> Any:
    place = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.places[path] = place
    if len(document.places) > document.most:
        raise _TooLargeError(path)
    if len(path) > DEEPEST:
        _say_deep(document, path)
        return None
    if id(node) in above:
        document.mistake(path, "an alias that contains itself", "a value", "write the value out")
        return None
    above |= {id(node)}
    if isinstance(node, yaml.SequenceNode):
        return [_build(document, item, (*path, i), above) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(document, node, path)
    out: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = _scalar(document, key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str | int):
            document.mistake(
                (*path, str(key)), "a key that is no word", "a word", "write the key as plain text"
            )
            continue
        here = (*path, key)
        if key in out:
            first = document.keys[here][0]
            document.keys[here] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            document.mistake(
                here,
                f"key {key!r} is written twice, first in line {first}",
                "each key once",
                "delete one of the two, or give it another name",
                at_key=True,
            )
            continue
        document.keys[here] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        out[key] = _build(document, value_node, here, above)
    return out


def _scalar(document: Document, node: yaml.Node, path: Path_) -> Any:
    text = node.value
    match node.tag.rsplit(":", 1)[-1]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if len(text) > _MOST_DIGITS:
            document.mistake(path, f"a number of {len(text)} digits", "a number", "write fewer digits")
            return None
        case "int":
            return int(text, 16 if "0x" in text else 10)
        case "float":
            return float(text)
        case "str":
            return text
    document.mistake(path, f"tag {node.tag} is not used here", "a plain value", "remove the tag (`!…`)")
    return None
