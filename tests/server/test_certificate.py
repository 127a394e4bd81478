"""A certificate that the server signs for itself: whom it names, how long it is kept, a handshake with it."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from server.certificate import RENEWED, VALID, certificate_folder, fingerprint, self_signed
from server.options import ServeOptions
from server.run import names_of, tls_of
from simul.errors import UsageError

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


def shake_hands(server: ssl.SSLContext, trusted: Path, name: str) -> bytes:
    """The certificate (DER) that a client sees who trusts the file and calls the server by this name."""
    client = ssl.create_default_context(cafile=str(trusted))
    near, far = socket.socketpair()

    def answer() -> None:
        try:
            server.wrap_socket(far, server_side=True).close()
        except (ssl.SSLError, OSError):
            far.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname=name) as wrapped:
            return wrapped.getpeercert(binary_form=True) or b""
    finally:
        thread.join()


def test_a_client_that_trusts_it_connects_by_every_name_and_by_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    context = tls_of(ServeOptions(self_signed=True))
    assert context is not None
    file = certificate_folder() / "self-signed.pem"
    for name in names_of("127.0.0.1"):
        assert shake_hands(context, file, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context, file, "elsewhere.example")


def test_it_is_kept_for_the_next_start_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = self_signed(["localhost", "127.0.0.1"], tmp_path / "tls", NOW)
    first = fingerprint(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert self_signed(["127.0.0.1"], tmp_path / "tls", NOW + timedelta(days=100)) == path
    assert fingerprint(path) == first
    assert len(first.split(":")) == 32
    assert first == first.upper()


@pytest.mark.parametrize("days", [VALID.days - RENEWED.days, VALID.days + 5])
def test_one_that_ends_soon_is_replaced(tmp_path: Path, days: int) -> None:
    path = self_signed(["localhost"], tmp_path, NOW)
    first = fingerprint(path)
    self_signed(["localhost"], tmp_path, NOW + timedelta(days=days))
    assert fingerprint(path) != first


def test_a_new_address_of_the_machine_makes_a_new_one(tmp_path: Path) -> None:
    path = self_signed(["localhost", "10.0.0.1"], tmp_path, NOW)
    first = fingerprint(path)
    self_signed(["localhost", "10.0.0.2"], tmp_path, NOW)
    assert fingerprint(path) != first


def test_a_certificate_of_somebody_else_in_its_place_is_replaced(tmp_path: Path) -> None:
    path = self_signed(["localhost"], tmp_path, NOW)
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    name = x509.Name([])
    other = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + VALID)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + other.public_bytes(Encoding.PEM))
    theirs = fingerprint(path)
    self_signed(["localhost"], tmp_path, NOW)
    assert fingerprint(path) != theirs
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    self_signed(["localhost"], tmp_path, NOW)
    assert fingerprint(path)


def test_a_name_that_is_not_ascii_is_left_out(tmp_path: Path) -> None:
    path = self_signed(["localhost", "büro"], tmp_path, NOW)
    first = fingerprint(path)
    self_signed(["localhost", "büro"], tmp_path, NOW)
    assert fingerprint(path) == first


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    path = self_signed(["localhost"], tmp_path, NOW)
    path.write_bytes(path.read_bytes()[:200])
    self_signed(["localhost"], tmp_path, NOW)
    assert fingerprint(path)


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two certificates"):
        ServeOptions(self_signed=True, certfile="x.pem")
    blocked = tmp_path / "tls"
    blocked.mkdir()
    (blocked / "self-signed.new").mkdir()
    with pytest.raises(UsageError, match="cannot be kept"):
        self_signed(["localhost"], blocked, NOW)
