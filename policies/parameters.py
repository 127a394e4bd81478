"""Parameters of policies: one declaration serves the constructor's checks, the command line and the reference."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from policies.errors import PolicyError

Value = str | int | float | bool

_NAMES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a word"}
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a policy. `type` is "int", "float", "bool" or "str"; `low` and `high` are inclusive."""

    name: str
    type: str
    default: Value
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""

    def expected(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        low = "" if self.low is None else f" of at least {self.low:g}"
        high = "" if self.high is None else f"{' and' if low else ' of'} at most {self.high:g}"
        return _NAMES[self.type] + low + high

    def convert(self, value: Value, owner: str) -> Value:
        """`value`, which may be a string, in this parameter's type and range.

        Raises:
            PolicyError: it cannot be read as that type, or lies outside the range.
        """
        read = self._read(value)
        if read is None or not self._allowed(read):
            raise PolicyError(f"{self.name} of {owner} is {value!r}; it must be {self.expected()}.")
        return read

    def _read(self, value: Value) -> Value | None:
        try:
            if self.type == "str":
                return value if isinstance(value, str) else None
            if self.type == "bool":
                word = str(value).strip().lower()
                return True if word in _TRUE else False if word in _FALSE else None
            if isinstance(value, bool):
                return None
            if self.type == "float":
                return float(value)
            return int(value) if isinstance(value, str) or int(value) == value else None
        except (ValueError, OverflowError):
            return None

    def _allowed(self, value: Value) -> bool:
        if self.choices:
            return value in self.choices
        if isinstance(value, str | bool):
            return True
        if math.isnan(value):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def parameter(
    default: Value,
    help: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a parameter as a field of a policy, which is a frozen dataclass."""
    metadata = {"low": low, "high": high, "choices": choices, "help": help}
    return dataclasses.field(default=default, metadata=metadata)


def parameters_of(policy: Any) -> tuple[Parameter, ...]:
    """The parameters that a policy (class or instance) declares, in order."""
    if not dataclasses.is_dataclass(policy):
        return ()
    fields = (f for f in dataclasses.fields(policy) if "help" in f.metadata)
    return tuple(Parameter(f.name, _type_name(f), cast(Value, f.default), **f.metadata) for f in fields)


def _type_name(field: dataclasses.Field[Any]) -> str:
    """The type of a field: its name where annotations are postponed, else the class."""
    name = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
    if name not in _NAMES:
        raise PolicyError(
            f"The parameter {field.name} has the type {name}; give it one of {', '.join(_NAMES)}."
        )
    return name


def check_parameters(policy: Any) -> None:
    """Replace a new policy's parameter values by checked ones.

    Raises:
        PolicyError: a value is of the wrong type or outside its range.
    """
    for p in parameters_of(policy):
        object.__setattr__(policy, p.name, p.convert(getattr(policy, p.name), policy.name))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A clause naming the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
