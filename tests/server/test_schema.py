"""The documents of the protocol: as committed, valid by themselves, and true of every message."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from jsonschema import Draft202012Validator

import server
from server import protocol as p
from server.codec import encode
from server.reference import markdown
from server.schema import asyncapi, json_schema
from tests.server.test_codec import CLIENT, SETTLED

DATA = Path(server.__file__).parent / "data"


@pytest.mark.parametrize(("name", "made"), [("schema", json_schema()), ("asyncapi", asyncapi())])
def test_the_committed_document_is_what_the_code_makes(name: str, made: object) -> None:
    stored = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    assert stored == made, f"write it anew: simul schema --format {name} > server/data/{name}.json"


def test_the_committed_reference_is_what_the_code_makes() -> None:
    page = Path(server.__file__).parent.parent / "docs" / "protocol.md"
    assert page.read_text("utf-8") == markdown(), (
        "write it anew: simul schema --format markdown > docs/protocol.md"
    )


def test_the_schema_is_valid_and_knows_every_message() -> None:
    Draft202012Validator.check_schema(json_schema())
    validator = Draft202012Validator(json_schema())
    for message in (*CLIENT, SETTLED):
        validator.validate(json.loads(encode(message)))
    kinds = {*p.CLIENT_MESSAGES.values(), *p.SERVER_MESSAGES.values()}
    assert {kind.__name__ for kind in kinds} <= json_schema()["$defs"].keys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "gap", "ms": "3"},
        {"type": "gap"},
        {"type": "gap", "ms": 3.5},
        {"type": "settled", "seq": 1, "text": "a"},
        {"type": "session.start", "audio": {"encoding": "mp3"}},
        {"type": "unheard"},
    ],
)
def test_the_schema_refuses_what_the_decoder_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        Draft202012Validator(json_schema()).validate(wrong)


def test_asyncapi_refers_only_to_what_is_there() -> None:
    document, parts = asyncapi(), json_schema()["$defs"]
    messages = document["components"]["messages"]
    for message in messages.values():
        if "payload" in message:
            assert message["payload"]["$ref"].rpartition("/")[2] in parts
    for operation in document["operations"].values():
        for reference in operation["messages"]:
            assert reference["$ref"].rpartition("/")[2] in messages
