"""Whether what was JSON is what its reader takes it for."""

from functools import cache
from typing import Literal, get_args, get_origin, get_type_hints

_hints = cache(get_type_hints)


def fits(value: object, kind: object) -> bool:
    """Whether it is of this kind: a TypedDict, which may have more keys, a list, a dict, a Literal, a union, a type."""
    origin, parts = get_origin(kind), get_args(kind)
    required = getattr(kind, "__required_keys__", None)
    if required is not None:
        return isinstance(value, dict) and required <= value.keys() and fields_fit(value, kind)
    if origin in (list, dict):
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return type(value) is origin and (parts[-1] is object or all(fits(item, parts[-1]) for item in items))
    if origin is Literal:
        return value in parts
    if parts:
        return any(fits(value, part) for part in parts)
    return kind is object or type(value) in ((int, float) if kind is float else (kind,))


def fields_fit(values: "dict[str, object]", of: object) -> bool:
    """Whether those of the values for which a class has a field are of that field's kind."""
    kinds = _hints(of)
    return all(fits(value, kinds[name]) for name, value in values.items() if name in kinds)
