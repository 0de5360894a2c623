"""The OpenAPI document, made true: every refusal is a problem document (RFC 9457), and nothing else."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from central.kernel.problem import MEDIA_TYPE
from central.kernel.shapes import ProblemOut

TOO_MANY = "Too many requests; `Retry-After` says when to try again"
NOT_UNDERSTOOD = "The address holds a zero character, or the body is not in UTF-8"
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI) -> None:
    """Let `app` describe itself with `document`."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    # FastAPI's documented way of changing the document: replace the method on the instance.
    app.openapi = described  # type: ignore[method-assign]


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document: FastAPI's, with its own validation errors replaced by ours."""
    found = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes, servers=app.servers
    )
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
    for operations in found["paths"].values():
        for operation in operations.values():
            # `NoZeros` looks at every address, and a body that is no JSON in UTF-8 is nobody's to read.
            operation["responses"].setdefault("400", {"description": NOT_UNDERSTOOD})
            if "401" in operation["responses"]:
                # Whatever asks who one is counts how often one asks.
                operation["responses"].setdefault("429", {"description": TOO_MANY})
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    response["content"] = problem
    schemas = found["components"]["schemas"]
    for name in _FASTAPIS_OWN:
        schemas.pop(name, None)
    schemas["ProblemOut"] = ProblemOut.model_json_schema(mode="serialization")
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found
