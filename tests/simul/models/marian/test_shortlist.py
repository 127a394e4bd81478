"""Lexical shortlists: what a source asks for, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simul.errors import ModelMissingError
from simul.models.marian.shortlist import Shortlist
from tests.simul.models.marian import tiny

LISTS = {2: [9, 14], 3: [10], 5: [9, 19]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tiny.write_shortlist(tmp_path / "lex.bin", 20, 4, LISTS)
    return tmp_path / "lex.bin"


def test_common_pieces_and_those_of_the_source_are_chosen(path: Path) -> None:
    shortlist = Shortlist(path, 20)
    np.testing.assert_array_equal(shortlist.choose([2, 5, 2, 0], shared=False), [0, 1, 2, 3, 9, 14, 19])
    np.testing.assert_array_equal(shortlist.choose([2, 5, 0], shared=True), [0, 1, 2, 3, 5, 9, 14, 19])
    np.testing.assert_array_equal(shortlist.choose([], shared=True), [0, 1, 2, 3])


def test_a_list_of_another_vocabulary_is_refused(path: Path) -> None:
    with pytest.raises(ModelMissingError, match="does not belong"):
        Shortlist(path, 19)


def test_a_damaged_file_is_named(path: Path) -> None:
    raw = path.read_bytes()
    for wrong in (b"", raw[:40], raw[:-4], bytes(8) + raw[8:]):
        path.write_bytes(wrong)
        with pytest.raises(ModelMissingError, match=r"lex\.bin"):
            Shortlist(path, 20)
