"""Policies written as text: a name, and in brackets further policies and parameters, as in all-of(p, hold-n(n=3)).

A name may be MODULE:CLASS, a policy of one's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from policies.errors import PolicyError

_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z0-9_.+-]+(?::[A-Za-z_][\w.]*)?)|(?P<quoted>\"[^\"]*\"|'[^']*')|(?P<mark>[(),=]))"
)
_DEEPEST = 100
_EXAMPLE = "such as all-of(local-agreement(n=2), hold-n(n=3))"


@dataclass
class Expression:
    """A policy's name, the policies it is made of, and its parameters as text."""

    name: str
    operands: list[Expression] = field(default_factory=list)
    args: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Expression:
    """The expression in `text`.

    Raises:
        PolicyError: `text` is no expression; the message shows where.
    """
    if text.count("(") > _DEEPEST:
        raise PolicyError(f"A policy of {text.count('(')} policies cannot be read; write {_DEEPEST} at most.")
    reader = _Reader(text)
    expression = reader.policy()
    if reader.kind:
        raise reader.error("the end")
    return expression


class _Reader:
    """Reads an expression token by token; `kind` and `value` are the token at hand (kind "" at the end)."""

    def __init__(self, text: str) -> None:
        self._text, self._next = text, 0
        self.advance()

    def advance(self) -> str:
        """Go to the next token; the value of the one left behind."""
        last = getattr(self, "value", "")
        rest = self._text[self._next :]
        self._at = self._next + len(rest) - len(rest.lstrip())
        found = _TOKEN.match(self._text, self._next)
        if found is None:
            self.kind, self.value = ("", "") if not rest.strip() else ("mark", rest.strip()[0])
            self._next = len(self._text) if not rest.strip() else self._next
            return last
        self.kind, self.value = str(found.lastgroup), found[str(found.lastgroup)]
        self._next = found.end()
        return last

    def error(self, wanted: str) -> PolicyError:
        found = f"{self.value!r}" if self.kind else "nothing more"
        return PolicyError(
            f"The policy {self._text!r} cannot be read: expected {wanted} at character {self._at + 1}, "
            f"found {found}. Write it {_EXAMPLE}."
        )

    def policy(self) -> Expression:
        if self.kind != "word":
            raise self.error("the name of a policy")
        return self.rest(Expression(self.advance()))

    def rest(self, expression: Expression) -> Expression:
        """What follows a policy's name: nothing, or operands and parameters in brackets."""
        if self.value != "(" or self.kind != "mark":
            return expression
        self.advance()
        while self.value != ")" or self.kind != "mark":
            self.argument(expression)
            if self.kind == "mark" and self.value == ",":
                self.advance()
            elif self.kind != "mark" or self.value != ")":
                raise self.error("',' or ')'")
        self.advance()
        return expression

    def argument(self, expression: Expression) -> None:
        if self.kind != "word":
            raise self.error("a policy or a parameter")
        name = self.advance()
        if self.kind != "mark" or self.value != "=":
            expression.operands.append(self.rest(Expression(name)))
            return
        self.advance()
        if self.kind not in ("word", "quoted"):
            raise self.error(f"a value for {name}")
        if name in expression.args:
            raise PolicyError(f"{expression.name} is given {name} twice in {self._text!r}; give it once.")
        quoted = self.kind == "quoted"
        value = self.advance()
        expression.args[name] = value[1:-1] if quoted else value
