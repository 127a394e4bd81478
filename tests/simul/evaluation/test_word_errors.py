"""Word errors: texts as they are compared, and edits over a corpus."""

from hypothesis import given
from hypothesis import strategies as st

from simul.evaluation.word_errors import WordErrors, normalise, word_errors, written, written_errors


def test_texts_are_normalised():
    assert normalise("Don’t — stop, e-mail me: ‘now’!") == ["don't", "stop", "e", "mail", "me", "now"]
    assert normalise("今日は、天気。", "ja") == list("今日は天気")


WORDS = st.lists(st.sampled_from("abcde"), max_size=12)


@given(WORDS, WORDS)
def test_edits_are_those_of_the_textbook_recursion(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        following = [i]
        for j, y in enumerate(b, 1):
            following.append(min(row[j] + 1, following[-1] + 1, row[j - 1] + (x != y)))
        row = following
    assert word_errors([(" ".join(a), " ".join(b))]) == WordErrors(row[-1], len(a))


def test_errors_are_counted_over_the_corpus():
    errors = word_errors([("one two three four", "one two three for"), ("five", "")])
    assert (errors.edits, errors.words, errors.rate) == (2, 5, 40)
    assert word_errors([("", "noise")]).rate != word_errors([("", "noise")]).rate


def test_the_written_form_has_case_and_marks():
    assert written("Don’t — stop, “e-mail” me: 3.5!") == (
        ["Don't", "stop", ",", "e", "mail", "me", ":", "3", ".", "5", "!"]
    )


def test_written_errors_count_where_the_reference_has_case_and_punctuation():
    pairs = [
        ("Printing, then, is old.", "printing then. Is old."),
        ("words without any marks", "Others, entirely."),
        ("In Capitals alone", "nothing"),
    ]
    errors = written_errors(pairs)
    assert (errors.edits, errors.words) == (4, 7)
