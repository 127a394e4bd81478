"""Names and rare words of a document become terms."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from simul.errors import UsageError
from simul.models.terms.document import document_terms

KNOWN = frozenset("the wards of were described by a man who knew them guide and they said".split())  # noqa: SIM905
TEXT = (
    "The wards of Newgate’s House were described by Neild. They knew a turnkey, and THEM.\n\nGuide by Subiaco"
)


def pdf(text: str) -> bytes:
    """A page that says `text`."""
    stream = b"BT /F1 12 Tf 20 100 Td (" + text.encode("latin-1") + b") Tj ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 900 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length " + str(len(stream)).encode() + b" >>\nstream\n" + stream + b"\nendstream",
    )
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += str(number).encode() + b" 0 obj\n" + content + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(made)
    return made + b"xref\n0 5\n0000000000 65535 f \n" + table + tail


def test_names_and_rare_words_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "article.txt"
    path.write_text(TEXT, encoding="utf-8")
    found = [term.text for term in document_terms(path, KNOWN)]
    assert found == ["Newgate", "House", "Neild", "turnkey", "Subiaco"]
    assert [t.text for t in document_terms(path, None)] == ["Newgate", "House", "Neild", "Subiaco"]


def test_a_pdf_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pypdf", reason="PDFs are read by the package pypdf")
    path = tmp_path / "article.pdf"
    path.write_bytes(pdf("The wards of Newgate were described by Neild."))
    assert [term.text for term in document_terms(path, KNOWN)] == ["Newgate", "Neild"]


def test_a_pdf_that_is_damaged_anywhere_is_read_or_refused_in_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("pypdf", reason="PDFs are read by the package pypdf")
    path = tmp_path / "article.pdf"
    whole = pdf("The wards of Newgate were described by Neild.")
    for place in range(5, len(whole), 7):
        for damaged in (whole[:place], whole[:place] + b"\xff<<" + whole[place + 3 :]):
            path.write_bytes(damaged)
            # Any other error fails the test.
            with contextlib.suppress(UsageError):
                document_terms(path, KNOWN)
    path.write_bytes(b"%PDF-1.4\nnothing")
    with pytest.raises(UsageError, match="cannot be read"):
        document_terms(path, KNOWN)
    assert caplog.records == []


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"the wards of them"])
def test_what_has_no_names_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "article.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"article\.txt"):
        document_terms(path, KNOWN)
