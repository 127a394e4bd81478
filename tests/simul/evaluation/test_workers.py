"""Workers: every piece of work once, several at a time, a death costs one piece, and a stop ends what is running."""

from __future__ import annotations

from pathlib import Path

from simul.evaluation.workers import Outcome, attempt, run_in_processes
from tests.simul.evaluation.work import Unreadable, dies_on_three, meets, sleeps


def test_an_exception_is_the_failure_of_its_task():
    assert attempt(dies_on_three, 4, 2) == Outcome(4, 20)
    assert attempt(dies_on_three, 4, 5) == Outcome(4, None, "five is no good")

    def raises(task: int) -> int:
        raise KeyboardInterrupt if task else NotImplementedError

    assert attempt(raises, 1, 0) == Outcome(1, None, "NotImplementedError")


def test_a_process_that_dies_costs_one_piece_of_work_and_another_takes_its_place():
    """With a single process, all that comes after the death needs a further one."""
    for jobs in (1, 2):
        outcomes = {o.index: o for o in run_in_processes(dies_on_three, [(i, i) for i in range(8)], jobs)}
        assert sorted(outcomes) == list(range(8))
        assert [outcomes[i].result for i in range(8)] == [0, 10, 20, None, 40, None, 60, 70]
        assert outcomes[3].failure == "The process died (exit code 7)."
        assert outcomes[5].failure == "five is no good"


def test_pieces_of_work_run_at_the_same_time(tmp_path: Path):
    tasks = [(0, (tmp_path, "a", "b")), (1, (tmp_path, "b", "a"))]
    assert [outcome.result for outcome in run_in_processes(meets, tasks, 2)] == [True, True]


def test_a_stop_ends_what_is_running(tmp_path: Path):
    names = [tmp_path / "a", tmp_path / "b"]

    def begun() -> bool:
        return all(name.with_suffix(".began").exists() for name in names)

    assert list(run_in_processes(sleeps, list(enumerate(names)), 2, begun)) == []
    assert begun()
    assert not any(name.with_suffix(".slept").exists() for name in names)


def test_a_process_that_cannot_read_the_work_fails_its_task():
    outcomes = list(run_in_processes(Unreadable(), [(0, 0), (1, 1)], 2))
    assert sorted(o.index for o in outcomes) == [0, 1]
    assert {o.failure for o in outcomes} == {"The process died (exit code 9)."}


def test_nothing_to_do_needs_no_process():
    assert list(run_in_processes(dies_on_three, [], 2)) == []
