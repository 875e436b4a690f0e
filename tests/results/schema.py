"""`result.json`, held to the schema that is published."""

import json
from pathlib import Path
from typing import Any

import jsonschema

from tests.conftest import ROOT

SCHEMA = json.loads((ROOT / "docs" / "result.schema.json").read_text())


def check_result(result: dict[str, Any]) -> dict[str, Any]:
    """The same result; `jsonschema.ValidationError` if it is none."""
    jsonschema.validate(result, SCHEMA, cls=jsonschema.Draft202012Validator)
    return result


def read_result(path: Path) -> dict[str, Any]:
    return check_result(json.loads(path.read_text()))
