"""How pydantic reads and writes values. Only pydantic imports what this needs."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def schema(kind: type) -> Any:
    """The schema of a class whose values are made from a text, and are a text in JSON."""

    def validate(value: object, as_text: Callable[[object], str]) -> object:
        return value if isinstance(value, kind) else kind(as_text(value))

    schemas: Any = importlib.import_module("pydantic_core.core_schema")
    return schemas.no_info_wrap_validator_function(
        validate, schemas.str_schema(), serialization=schemas.to_string_ser_schema()
    )
