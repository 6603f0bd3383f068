"""A task's arguments, as they are typed."""

import json
from typing import Any


def json_option(option: str, text: str, kind: type, example: str) -> Any:
    """The value of an option that is JSON. Raises UsageError for what is not, or not of that kind."""
    from devkit.errors import UsageError

    wanted = "a JSON array" if kind is list else "a JSON object"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is not JSON: {error}: {text}", mend=[f"like {option} {example}"]) from None
    if not isinstance(value, kind):
        raise UsageError(f"{option} has to be {wanted}, not {text}", mend=[f"like {option} {example}"])
    return value


def arguments(args_json: str, kwargs_json: str) -> tuple[Any, Any]:
    """The values of --args and --kwargs. Raises UsageError."""
    return (
        json_option("--args", args_json, list, "'[10, 2]'"),
        json_option("--kwargs", kwargs_json, dict, "'{\"x\": 10}'"),
    )
