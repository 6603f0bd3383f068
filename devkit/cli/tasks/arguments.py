"""A task's arguments, as they are typed."""

import json
from typing import Any


def arguments(args_json: str | None, kwargs_json: str | None) -> tuple[Any, Any]:
    """The values of --args and --kwargs, None for what is not given. Raises UsageError."""
    return (
        _from_json("--args", args_json, list, "'[10, 2]'"),
        _from_json("--kwargs", kwargs_json, dict, "'{\"x\": 10}'"),
    )


def _from_json(option: str, text: str | None, kind: type, example: str) -> Any:
    from devkit.errors import UsageError

    if text is None:
        return None
    wanted = "a JSON array" if kind is list else "a JSON object"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is not JSON: {error}: {text}", mend=[f"like {option} {example}"]) from None
    if not isinstance(value, kind):
        raise UsageError(f"{option} has to be {wanted}, not {text}", mend=[f"like {option} {example}"])
    return value
