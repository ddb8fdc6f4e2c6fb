"""Models of pydantic, which is never imported: their schemas in the form that servers enforce, and values of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ipfs_accel._invalid import InvalidValueError

__all__ = ["schema_of", "without_nulls"]

Json = dict[str, Any]
_LEFT_OUT = {"title", "default"}


def schema_of(model: Any, name: str, where: str) -> tuple[Json, dict[str, Json]]:
    """Return the schema of a model, and the definitions that it refers to, whose names begin with that of the model."""
    natural = _natural(model, where)
    inner = natural.get("$defs", {})
    own = {key: each for key, each in natural.items() if key != "$defs"}
    return _strict(own, name), {f"{name}_{each}": _strict(found, name) for each, found in inner.items()}


def without_nulls(value: Any, model: Any) -> Any:
    """Return a value without the nulls that stand for members left out, which the model's own schema does not allow."""
    schema = _kept(model)
    return _dropped(value, schema, schema.get("$defs", {}))


@functools.lru_cache(maxsize=128)
def _kept(model: Any) -> Json:
    """Return a model's schema as it was written, since many of one may be in an answer."""
    return _natural(model, "$")


def _natural(model: Any, where: str) -> Json:
    try:
        found: Json = model.model_json_schema(by_alias=True)
    except Exception as error:
        raise InvalidValueError(f"{where}: pydantic has no JSON Schema of {model.__qualname__}: {error}") from error
    # A model within itself is a definition, too, and its root refers to that.
    name = _referred(found)
    return {**found["$defs"][name], "$defs": found["$defs"]} if name else found


def _referred(schema: Mapping[str, Any]) -> str:
    target = schema.get("$ref")
    return target.rpartition("/")[2] if isinstance(target, str) else ""


def _strict(schema: Any, prefix: str) -> Any:
    if isinstance(schema, list):
        return [_strict(each, prefix) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _strict_member(name, each, prefix) for name, each in schema.items() if name not in _LEFT_OUT}
    properties = found.get("properties")
    if isinstance(properties, dict):
        required = schema.get("required", ())
        for name, inner in properties.items():
            if name not in required:
                properties[name] = _nullable(inner)
        found |= {"required": [*properties], "additionalProperties": False}
    if "oneOf" in found:  # which no server that enforces schemas knows; a discriminator is a constant in each
        found["anyOf"] = found.pop("oneOf")
        found.pop("discriminator", None)
    if "$ref" in found and len(found) > 1:  # beside which nothing may stand
        found["anyOf"] = [{"$ref": found.pop("$ref")}]
    return found


def _strict_member(name: str, value: Any, prefix: str) -> Any:
    if name == "properties" and isinstance(value, dict):
        return {each: _strict(inner, prefix) for each, inner in value.items()}
    if name == "$ref":
        return f"#/$defs/{prefix}_{value.rpartition('/')[2]}"
    return value if name in {"enum", "const", "examples", "required"} else _strict(value, prefix)


def _nullable(schema: Json) -> Json:
    if _takes_null(schema, {}):
        return schema
    said = {name: schema[name] for name in ("description",) if name in schema}
    arms = (
        schema["anyOf"]
        if schema.keys() - said.keys() == {"anyOf"}
        else [{name: each for name, each in schema.items() if name not in said}]
    )
    return {"anyOf": [*arms, {"type": "null"}], **said}


def _takes_null(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    if not schema.keys() - {"title", "default", "description"}:
        return True
    name = _referred(schema)
    if name in defs:
        return _takes_null(defs[name], defs)
    kind = schema.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind) or None in schema.get("enum", ()):
        return True
    return any(_takes_null(each, defs) for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())))


def _dropped(value: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    name = _referred(schema)
    if name in defs:
        return _dropped(value, defs[name], defs)
    arms = (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ()))
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_dropped(each, schema["items"], defs) for each in value]
    if isinstance(value, dict) and isinstance(properties := schema.get("properties"), dict):
        required = schema.get("required", ())
        return {
            key: _dropped(each, properties.get(key, {}), defs)
            for key, each in value.items()
            if each is not None or key in required or _takes_null(properties.get(key, {}), defs)
        }
    if isinstance(value, dict) and isinstance(more := schema.get("additionalProperties"), dict):
        return {key: _dropped(each, more, defs) for key, each in value.items()}
    for arm in arms:
        if _may_be(value, arm, defs):
            return _dropped(value, arm, defs)
    return value


def _may_be(value: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    """Whether a value is of an arm, by its type, the names of its members and its constants."""
    name = _referred(schema)
    if name in defs:
        return _may_be(value, defs[name], defs)
    kind = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else ""
    if not kind or schema.get("type") != kind:
        return kind != "" and any(
            _may_be(value, each, defs) for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))
        )
    if not isinstance(value, dict):
        return True
    properties = schema.get("properties", {})
    constants = {key: each["const"] for key, each in properties.items() if "const" in each}
    return value.keys() <= properties.keys() and all(value.get(key) == each for key, each in constants.items())
