"""What is known of languages: one place for all of simul, and the packages below it agree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import simul
from simul import languages
from simul.languages import CLAUSE_ENDS, CLOSERS, NAMES, NLLB, SEAMLESS, SENTENCE_ENDS, SPACELESS, WIDE

ELSEWHERE = {
    # What models and doubles serve, or a scorer's tokenizers: no knowledge about languages.
    "LANGUAGES",
    "TARGETS",
    "EMBEDDED_TARGETS",
    # How the mender of translations writes thousands and full hours; of no use elsewhere.
    "_BETWEEN",
    "_OPEN_HOUR",
}


def test_every_language_has_a_name_and_a_code() -> None:
    assert NAMES.keys() >= SPACELESS | WIDE
    assert NLLB.keys() <= SEAMLESS.keys() <= NAMES.keys()


def test_the_packages_below_know_the_same_marks() -> None:
    from policies import phrase_hold, punctuation_hold
    from tts import language

    assert (SENTENCE_ENDS, CLOSERS) == (punctuation_hold.SENTENCE_ENDS, punctuation_hold.CLOSERS)
    assert phrase_hold.CLAUSE_ENDS == CLAUSE_ENDS
    assert (SENTENCE_ENDS, CLAUSE_ENDS, CLOSERS) == (
        language.SENTENCE_ENDS,
        language.CLAUSE_ENDS,
        language.CLOSERS,
    )
    assert not {*SENTENCE_ENDS} & {*CLAUSE_ENDS}


def test_words_compared_whole_are_those_of_languages_without_spaces() -> None:
    from segmenter.moses import UNTOKENISED

    assert UNTOKENISED < SPACELESS


def collections_of_languages(path: Path) -> list[str]:
    """The names of constants in a file that are sets, tuples or dictionaries of language codes."""
    found = []
    for node in ast.parse(path.read_text("utf-8")).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        texts = [
            n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
        codes = {text for text in texts if text in NAMES}
        if len(codes) >= 3 and 2 * len(codes) >= len(texts):
            found.append(node.targets[0].id)
    return found


@pytest.mark.parametrize("path", sorted(Path(simul.__file__).parent.rglob("*.py")), ids=str)
def test_no_other_file_keeps_sets_of_languages(path: Path) -> None:
    if path != Path(languages.__file__):
        assert set(collections_of_languages(path)) <= ELSEWHERE


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    lines = [
        'WIDE = frozenset({"zh", "ja", "ko"})',
        'OTHER = ("a b", "zh")',
        'NAMES = {"de": "German", "es": "Spanish", "fr": "French"}',
    ]
    file.write_text("\n".join(lines))
    assert collections_of_languages(file) == ["WIDE", "NAMES"]
