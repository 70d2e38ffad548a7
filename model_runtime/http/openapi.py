"""The OpenAPI description, made from the types that read the bodies, so that the two agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.service.process import version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_runtime.http.dialect import Dialect

REFUSALS = {
    "400": "The body is not as described, or asks for what can't be.",
    "401": "A bearer token is needed.",
    "403": "Pages of this origin may not ask.",
    "404": "There is no such model, or no such endpoint.",
    "405": "The endpoint has another method.",
    "408": "The body took too long to come.",
    "409": "A newer request took this one's place.",
    "413": "The body is too large.",
    "415": "The body is packed in a way that nobody here knows.",
    "421": "The server is not called by that name.",
    "429": "Too many requests; Retry-After says when to try again.",
    "500": "A bug; its number is in the server's log.",
    "502": "The remote engine failed.",
    "503": "The model or the runtime is not there; Retry-After says when to try again.",
    "504": "The fill took too long.",
}
_MODEL = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
ABOUT = {
    "/health": "Whether requests can be filled.",
    "/v1/health": "Whether requests can be filled.",
    "/props": "The server's properties, as llama.cpp tells them.",
    "/v1/models": "The names that stand for the model served.",
    "/api/tags": "The names that stand for the model served, as Ollama lists them.",
    "/api/ps": "The model that is in memory, as Ollama lists it.",
    "/api/version": "Which of Ollama's versions this is like.",
    "/openapi.json": "This description.",
}


def describe(fills: Mapping[str, Dialect]) -> dict[str, Any]:
    """Return the description.

    Args:
        fills: the endpoints that fill, by path.
    """
    types = [each for dialect in fills.values() for each in (dialect.body_type, dialect.reply_type)]
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        # A message's own name is demanded only where there are others it could be.
        schema["required"] = [field for field in schema.get("required", ()) if field != "type"]
    paths: dict[str, Any] = {
        path: {"get": {"summary": text, "responses": _responses("application/json")}}
        for path, text in ABOUT.items()
    }
    paths["/metrics"] = {
        "get": {"summary": "Figures for Prometheus.", "responses": _responses("text/plain")}
    }
    paths["/"] = {
        "get": {"summary": "That there is somebody.", "responses": _responses("text/plain")}
    }
    paths["/v1/models/{model}"] = {
        "get": {
            "summary": "The model served; by any name it is the one.",
            "parameters": [_MODEL],
            "responses": _responses("application/json"),
        }
    }
    paths["/api/show"] = {
        "post": {
            "summary": "The model served, as Ollama describes it.",
            "responses": _responses("application/json"),
        }
    }
    for path, dialect in fills.items():
        body, reply = (
            {"$ref": f"#/components/schemas/{each.__name__}"}
            for each in (dialect.body_type, dialect.reply_type)
        )
        paths[path] = {
            "post": {
                "summary": (dialect.__doc__ or "").splitlines()[0],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": body}},
                },
                "responses": _responses("application/json", dialect.media_type, reply=reply),
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Remask", "version": version()},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"bearer": []}],
    }


def _responses(*media_types: str, reply: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what may come back; `reply` is the schema of a JSON reply that is a fill."""
    told = {"anyOf": [{"type": "object"}, {"type": "string"}]}
    error = {"type": "object", "required": ["error"], "properties": {"error": told}}
    refused = {"content": {"application/json": {"schema": error}}}
    content: dict[str, Any] = {media: {} for media in media_types}
    if reply is not None:
        content["application/json"] = {"schema": reply}
    return {
        "200": {"description": "Done.", "content": content},
        **{status: {"description": text, **refused} for status, text in REFUSALS.items()},
    }
