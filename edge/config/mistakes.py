"""pydantic's errors said in a technician's words: where, what was expected, what to do."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from edge.config.document import Document, Path_

_SECRET = re.compile("password|secret|token", re.IGNORECASE)
_BRANCHES = frozenset({"[key]", "float", "str", "int", "comparison"})
"""Parts of a path that name a branch of a model, and nothing that is written in the file."""
_WANTED: dict[str, str] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "model_type": "a map of settings",
    "model_attributes_type": "a map of settings",
    "dict_type": "a map",
    "list_type": "a list",
    "tuple_type": "a list",
    "url_parsing": "a URL such as http://10.0.0.5:8600",
    "url_scheme": "a URL that starts with http:// or https://",
}


def nearest(word: object, known: Iterable[str]) -> str:
    """Return a sentence that proposes the known word nearest to `word`, or lists what is known."""
    names = sorted(set(known))
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there is none yet; add one"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"use one of: {shown}"


def explain(document: Document, error: ValidationError, model: type[BaseModel], base: Path_ = ()) -> None:
    """Add each mistake of `error`, found while reading `model` at `base`, to the document."""
    for item in error.errors(include_url=False):
        # pydantic does not count entries that are wrong themselves; they have been told already.
        if item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]:
            continue
        loc = tuple(part for part in item["loc"] if part not in _BRANCHES)
        _one(document, base + loc, loc, item, model)


def _one(
    document: Document, path: Path_, loc: Path_, item: Mapping[str, Any], model: type[BaseModel]
) -> None:
    kind, context = item["type"], item.get("ctx", {})
    name = path[-1] if path else "the file"
    if kind == "missing":
        fields = _model_at(model, loc[:-1]).model_fields
        about = fields[str(name)].description if str(name) in fields else None
        wanted = about or f"a value for {name!r}"
        document.mistake(path, f"{name!r} is missing", wanted, f"add `{name}: …` here")
    elif kind == "extra_forbidden":
        known = _model_at(model, loc[:-1]).model_fields
        document.mistake(
            path, f"{name!r} is not a setting", "a known setting", nearest(name, known), at_key=True
        )
    elif kind in {"literal_error", "enum"}:
        expected = str(context.get("expected", "one of the known words"))
        words = [word.strip(" '\"") for part in expected.split(",") for word in part.split(" or ")]
        document.mistake(
            path, f"{_shown(item)} is not known here", f"one of {expected}", nearest(item["input"], words)
        )
    elif kind == "string_pattern_mismatch":
        wanted, repair = _form(str(context["pattern"]), str(item["input"]))
        document.mistake(path, f"{_shown(item)} has a form that cannot be used", wanted, repair)
    elif kind in _WANTED:
        document.mistake(
            path, f"{_shown(item)} is no value for {name!r}", _WANTED[kind], f"write {_WANTED[kind]}"
        )
    elif kind == "value_error":
        words_ = str(item["msg"]).removeprefix("Value error, ")
        problem, _, repair = words_.partition("; ")
        document.mistake(path, problem, "a consistent record", repair or "correct it")
    else:
        message = str(item["msg"])
        expected = message.removeprefix("Input should be ").removeprefix("Value should be ")
        if expected.startswith(("less", "greater")):
            expected = f"a value {expected}"
        document.mistake(path, f"{_shown(item)} cannot be used for {name!r}", expected, f"give {expected}")


def _form(pattern: str, given: str) -> tuple[str, str]:
    """Return what a pattern wants, in words, and how `given` would have to be written."""
    if pattern.startswith("^[a-z0-9]"):
        key = re.sub(r"[^a-z0-9_-]+", "-", given.lower()).strip("-_")
        return "a key of small letters, digits, '-' and '_'", f"write {key!r}" if key else "choose a key"
    if "https?" in pattern:
        return "a URL", "write it like http://10.0.0.5:8600"
    return f"text of the form {pattern}", "correct it"


def _shown(item: Mapping[str, Any]) -> str:
    value = item["input"]
    if item["loc"] and _SECRET.search(str(item["loc"][-1])):
        return "the value (not shown)"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value)[:60]


def _model_at(model: type[BaseModel], loc: Path_) -> type[BaseModel]:
    """Return the model that a location of an error lies in, walking through lists, maps and optionals."""
    here: Any = model
    for part in loc:
        found = _models(here)
        if isinstance(part, int) or not found:
            continue
        for candidate in found:
            if part in candidate.model_fields:
                here = candidate.model_fields[str(part)].annotation
                break
    found = _models(here)
    return found[0] if found else model


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType, Annotated, tuple, list, dict} or typing.get_args(annotation):
        return [model for part in get_args(annotation) for model in _models(part)]
    return []
