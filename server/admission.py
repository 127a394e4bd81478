"""Who may begin or go on with a session; what is refused is refused with a code and a sentence."""

from __future__ import annotations

from server.codec import CloseCode, ProtocolError


def check_begin(draining: bool, owned: int, most: int, taken: bool) -> None:
    """A client wants a session. owned: those it has, of which it may have `most` (0: any number); taken: a stage on
    which somebody speaks.

    Raises:
        ProtocolError: it is refused.
    """
    if draining:
        raise ProtocolError(
            "The server is stopping; connect again in a moment.", code="draining", close=CloseCode.RESTART
        )
    if most and owned >= most:
        raise ProtocolError(
            f"You have {owned} sessions already, as many as are allowed; end one first.",
            code="quota",
            close=CloseCode.QUOTA,
        )
    if taken:
        raise ProtocolError(
            "Somebody speaks already; a stage has one speaker at a time.",
            code="speaker",
            close=CloseCode.QUOTA,
        )


def check_number(number: int, name: str, last: int) -> None:
    """A client names a message by its number, in the field `name`.

    Raises:
        ProtocolError: it was not given out yet.
    """
    if number > last:
        raise ProtocolError(f"The number {number} was not given out yet.", name)
