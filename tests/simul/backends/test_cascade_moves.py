"""A cascade's streams go on elsewhere: alone and beside each other, behind the same models only."""

from __future__ import annotations

import numpy as np
import pytest

from simul.backends.base import DecodeRequest, StreamSpec
from simul.backends.cascade import CascadeBackend
from simul.errors import UsageError
from simul.models.terms.reading import Term
from simul.models.words import Word
from tests.simul.backends.streams import hear, through_files
from tests.simul.backends.test_cascade import SCRIPT, WORD, ScriptedRecognizer, UpperCase


def said(backend: CascadeBackend, stream: int) -> list[tuple[str, ...]]:
    """What each segment of a stream becomes, from the current one to the last."""
    found = []
    while True:
        view = backend.view(stream)
        found.append(backend.decode([DecodeRequest(stream, 0, view)])[0].tokens)
        if view.finished:
            return found
        backend.next_segment(stream)


def test_streams_of_one_recording_move_together_and_hear_on_what_only_the_first_is_given() -> None:
    one, other = (CascadeBackend(lambda: ScriptedRecognizer(SCRIPT * 2), UpperCase()) for _ in range(2))
    first = one.open(StreamSpec("en", "de", (Term("FiveSix"),)))
    second = one.beside(first, "en")
    hear(one, first, np.zeros(6 * WORD, np.float32))
    one.next_segment(second)
    one.push(first, np.zeros(3 * WORD, np.float32))
    stored = through_files([one.export_state(number) for number in (first, second)])
    assert stored[1]["hearing"] is None
    numbers = [other.import_state(stored[0])]
    numbers.append(other.import_state(stored[1], numbers[0]))
    for backend, pushed in ((one, first), (other, numbers[0])):
        hear(backend, pushed, np.zeros(WORD, np.float32), end=True)
    assert (
        said(other, numbers[0])
        == said(one, first)
        == [(" ONE", " TWO", " THREE", " FOUR"), (" FIVESIX",), (" ONE", " TWO")]
    )
    assert said(other, numbers[1]) == said(one, second) == [(" FiveSix",), (" one", " two")]
    for number in numbers:
        other.release(number)
    assert other.streams == ()


def test_a_stream_whose_recogniser_is_of_no_kind_that_can_be_handed_over_stays() -> None:
    class Unmovable:
        heard = utterance_start = 0

        def hypothesis(self) -> tuple[Word, ...]:
            return ()

    backend = CascadeBackend(Unmovable, None)  # type: ignore[arg-type]
    stream = backend.open(StreamSpec("en", "en"))
    with pytest.raises(UsageError, match=r"cannot move: its recogniser \(Unmovable\) cannot hand them over"):
        backend.export_state(stream)
    with pytest.raises(UsageError, match="Unmovable"):
        backend.import_state({"runs": "a cascade"})
    assert backend.streams == (stream,)


def test_a_stream_goes_on_only_behind_the_same_models_and_whole_and_the_recogniser_is_kept_for_the_next() -> (
    None
):
    class Reset(ScriptedRecognizer):
        def reset(self) -> None:
            self.heard = -1

    made: list[Reset] = []

    def make() -> Reset:
        made.append(Reset(SCRIPT))
        return made[-1]

    backend = CascadeBackend(lambda: Reset(SCRIPT), UpperCase())
    stream = backend.open(StreamSpec("en", "de"))
    hear(backend, stream, np.zeros(2 * WORD, np.float32))
    state, other = backend.export_state(stream), CascadeBackend(make, None)
    with pytest.raises(
        UsageError, match=r"from a cascade of a script of 8 words and upper, and this is .* and no translator"
    ):
        other.import_state(state)
    other = CascadeBackend(make, UpperCase())
    for missing in ("spec", "hearing"):
        with pytest.raises(UsageError, match=f"it has no {missing}; export it again"):
            other.import_state({name: value for name, value in state.items() if name != missing})
    with pytest.raises(UsageError, match="place is 'x', not a whole number"):
        other.import_state({**state, "place": "x"})
    with pytest.raises(UsageError, match="'xx' is not served"):
        other.import_state({**state, "spec": {"source": "xx", "target": "de"}})
    assert (other.streams, len(made), made[1].heard) == ((), 2, -1)


def test_a_recording_whose_recogniser_failed_cannot_leave_and_what_left_does_not_change() -> None:
    backend = CascadeBackend(lambda: ScriptedRecognizer(SCRIPT), UpperCase())
    stream = backend.open(StreamSpec("en", "de"))
    hear(backend, stream, np.zeros(6 * WORD, np.float32))
    backend.push(stream, np.ones(WORD, np.float32))
    kept, again = backend.export_state(stream), backend.export_state(stream)
    backend.state(stream).hearing.pushed[0][:] = 0
    backend.advance([stream])
    np.testing.assert_equal(kept, again)
    backend.state(stream).hearing.failure = RuntimeError("no memory left")
    with pytest.raises(RuntimeError, match="no memory left"):
        backend.export_state(stream)
