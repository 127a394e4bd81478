"""Lists of terms are read, and what is no list is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from simul.errors import UsageError
from simul.models.terms.reading import MOST_TERMS, Term, check_terms, read_terms


def test_a_term_a_line_with_its_spoken_forms(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_text("\ufeff# People\nJohn  Neild\n\nC++\tsee plus plus\tc plus\nC++\n", encoding="utf-8")
    assert read_terms(path) == (Term("John Neild"), Term("C++", ("see plus plus", "c plus")))


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xff\xfe\x00", b"x%d\n" * 1])
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "terms.txt"
    if content.startswith(b"x"):
        content = b"".join(content % i for i in range(MOST_TERMS + 1))
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"terms\.txt"):
        read_terms(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_terms(tmp_path / "missing")


def test_a_term_is_called_otherwise_in_other_languages(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_text("ward\tde=Station\tpt= ala\tword\tx=y\tfr=\n", encoding="utf-8")
    (term,) = read_terms(path)
    assert term == Term("ward", ("word", "x=y"), (("de", "Station"), ("pt", "ala")))


@pytest.mark.parametrize("term", [Term(" "), Term("a", ("",)), Term("a", (), (("de", " "),))])
def test_a_term_of_a_stream_that_says_nothing_is_refused(term: Term) -> None:
    check_terms([Term("a")] * MOST_TERMS)
    with pytest.raises(UsageError, match="term 2 of a stream"):
        check_terms([Term("b"), term])
    with pytest.raises(UsageError, match=f"at most {MOST_TERMS}"):
        check_terms([Term("a")] * (MOST_TERMS + 1))
