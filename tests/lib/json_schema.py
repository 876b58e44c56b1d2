# SPDX-License-Identifier: MIT
"""JSON against the schemas in cmd/schemas: the part of JSON Schema that they use; another keyword is an error.

A program must accept members that a schema does not name, since a later berth may add some. A test must not: each
member that berth prints is to be described.
"""
import json
import re
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parents[2] / "cmd" / "schemas"
KEYWORDS = {"$schema", "title", "description", "type", "properties", "required", "items", "enum", "const", "minimum",
            "maximum", "pattern"}
TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}


def is_type(value, name):
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


def check(value, schema, where="it"):
    """Assert that @value suits @schema, and has no member beyond it."""
    assert set(schema) <= KEYWORDS, f"{where}: unknown keywords {set(schema) - KEYWORDS}"
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    assert not types or any(is_type(value, name) for name in types), f"{where}: {value!r} is not {types}"
    assert "const" not in schema or value == schema["const"], f"{where}: {value!r}"
    assert "enum" not in schema or value in schema["enum"], f"{where}: {value!r} is not in {schema['enum']}"
    if isinstance(value, int) and not isinstance(value, bool):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), f"{where}: {value}"
    if isinstance(value, str) and "pattern" in schema:
        assert re.search(schema["pattern"], value), f"{where}: {value!r}"
    if isinstance(value, list):
        for index, element in enumerate(value):
            check(element, schema["items"], f"{where}[{index}]")
    if isinstance(value, dict):
        missing, unknown = set(schema["required"]) - set(value), set(value) - set(schema["properties"])
        assert not missing and not unknown, f"{where}: missing {missing}, not described {unknown}"
        for name, member in value.items():
            check(member, schema["properties"][name], f"{where}.{name}")


def read(name):
    return json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
