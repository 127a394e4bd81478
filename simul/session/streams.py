"""The streams of one recording on a backend, one for each language: what a session and an engine do with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from policies.base import Policy
from simul.backends.base import Backend
from simul.session.stream import SessionConfig, Stream, Trim


def open_streams(
    policy: Policy, backend: Backend[Any], config: SessionConfig, beside: Sequence[str]
) -> list[Stream]:
    """New streams; none stays open where one is refused. beside: further languages on the same audio.

    Raises:
        UsageError: the backend does not serve the languages, or no further stream.
    """
    with _all_or_none(backend) as numbers:
        numbers.append(backend.open(config.spec))
        for target in beside:
            numbers.append(backend.beside(numbers[0], target))
        return [
            Stream(policy, backend.limits, backend.name, number, each)
            for number, each in zip(numbers, _configs(config, beside), strict=True)
        ]


def dump_streams(backend: Backend[Any], streams: Sequence[Stream]) -> dict[str, Any]:
    """The streams with what the backend knows of them, for `load_streams`; plain values and arrays.

    Raises:
        UsageError: the backend cannot export the state of a stream.
    """
    return {
        "streams": [stream.dump() for stream in streams],
        "backend": [backend.export_state(stream.number) for stream in streams],
    }


def load_streams(
    dumped: Mapping[str, Any],
    policy: Policy,
    backend: Backend[Any],
    config: SessionConfig,
    beside: Sequence[str],
) -> list[Stream]:
    """Streams that go on from what `dump_streams` gave; none stays open where one cannot.

    Raises:
        UsageError: the state is not one of this backend's model.
    """
    with _all_or_none(backend) as numbers:
        for exported in dumped["backend"]:
            numbers.append(backend.import_state(exported, *numbers[:1]))
        return [
            Stream.load(stored, policy, backend.limits, number, each)
            for stored, number, each in zip(dumped["streams"], numbers, _configs(config, beside), strict=True)
        ]


def release(backend: Backend[Any], streams: Iterable[Stream]) -> None:
    """Let the backend go of the streams."""
    for stream in streams:
        backend.release(stream.number)


def carry_out(stream: Stream, backend: Backend[Any]) -> bool:
    """Do what the stream orders; whether a segment was left, so that the view after it is to be received."""
    left = False
    for order in stream.orders():
        if isinstance(order, Trim):
            backend.trim(stream.number, order.before)
        else:
            backend.next_segment(stream.number)
            left = True
    return left


@contextmanager
def _all_or_none(backend: Backend[Any]) -> Iterator[list[int]]:
    """Numbers of streams, which are released where something fails within."""
    numbers: list[int] = []
    try:
        yield numbers
    except Exception:
        for number in numbers:
            backend.release(number)
        raise


def _configs(config: SessionConfig, beside: Sequence[str]) -> list[SessionConfig]:
    """What each stream is to do: one for each language, named after it where there are several."""
    if not beside:
        return [config]
    return [replace(config, target=target, name=target) for target in (config.target, *beside)]
