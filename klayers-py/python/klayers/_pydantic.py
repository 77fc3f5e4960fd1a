"""How pydantic reads and writes values. Imported only when pydantic asks for a schema."""

from __future__ import annotations

import importlib
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def text_schema(kind: type) -> Any:
    """The schema of a class whose values are parsed from a text, and are that text in JSON."""

    def validate(value: object, as_text: Callable[[object], str]) -> object:
        return value if isinstance(value, kind) else kind(as_text(value))

    schemas = _schemas()
    return schemas.no_info_wrap_validator_function(
        validate, schemas.str_schema(), serialization=schemas.to_string_ser_schema()
    )


def row_schema(kind: Any) -> Any:
    """The schema of a class of rows, whose JSON is that of the API."""

    def validate(value: object, as_dict: Callable[[object], dict[str, Any]]) -> object:
        return value if isinstance(value, kind) else kind.from_json(json.dumps(as_dict(value)))

    def write(row: Any) -> Any:
        return json.loads(row.to_json())

    schemas = _schemas()
    fields = schemas.dict_schema(schemas.str_schema())
    written = schemas.plain_serializer_function_ser_schema(
        write, return_schema=fields, when_used="json"
    )
    return schemas.no_info_wrap_validator_function(validate, fields, serialization=written)


def _schemas() -> Any:
    return importlib.import_module("pydantic_core.core_schema")
