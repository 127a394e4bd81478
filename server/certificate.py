"""A certificate that the server signs for itself, so that browsers of a local network give it their microphone."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from simul.errors import UsageError
from simul.files import make_folder
from simul.install import install_hint

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, GeneralName

VALID = timedelta(days=397)
"""Browsers believe in none that lasts longer than 398 days."""
RENEWED = timedelta(days=30)
"""One that ends sooner than this is replaced at the start."""
FILE = "self-signed.pem"


def certificate_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where the certificate is kept: XDG_STATE_HOME/simul/tls, or ~/.local/state/simul/tls."""
    env = os.environ if environment is None else environment
    base = Path(env["XDG_STATE_HOME"]) if env.get("XDG_STATE_HOME") else Path("~/.local/state")
    return base.expanduser() / "simul" / "tls"


def self_signed(names: Sequence[str], folder: Path, now: datetime | None = None) -> Path:
    """The file (PEM, key and certificate) of a certificate for these host names and addresses.

    The one of a former start is used again while it names them all and lasts, so that a browser that was told to
    trust it goes on to. Only its owner can read the file.

    Raises:
        UsageError: cryptography is not installed, or the folder cannot be written.
    """
    try:
        import cryptography.x509  # noqa: F401
    except ImportError as error:
        raise UsageError(f"--self-signed needs cryptography: {install_hint('serve')}.") from error
    at = now or datetime.now(timezone.utc)
    path = folder / FILE
    kept = _kept(path)
    if kept is not None and _serves(kept, names, at):
        return path
    make_folder(folder)
    try:
        fresh = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fresh, "wb") as file:
            file.write(_signed(names, at))
        os.replace(path.with_suffix(".new"), path)
    except OSError as error:
        raise UsageError(f"The certificate cannot be kept in {folder}: {error.strerror or error}.") from error
    return path


def fingerprint(path: Path) -> str:
    """SHA-256 of a certificate as browsers show it: bytes in hexadecimal, colons between."""
    from cryptography.hazmat.primitives.hashes import SHA256

    certificate = _kept(path)
    assert certificate is not None, path
    return certificate.fingerprint(SHA256()).hex(":").upper()


def _kept(path: Path) -> Certificate | None:
    """The certificate in a file; none where it is missing or damaged."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        pem = path.read_bytes()
        load_pem_private_key(pem, None)
        return x509.load_pem_x509_certificate(pem)
    except (OSError, ValueError, TypeError):
        # TypeError: the key is locked by a password, so it is none that was made here.
        return None


def _serves(certificate: Certificate, names: Sequence[str], at: datetime) -> bool:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    lasts = certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc - RENEWED
    return lasts and all(name in found for name in _alternatives(names))


def _alternatives(names: Sequence[str]) -> list[GeneralName]:
    from cryptography import x509

    made: list[GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            made.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            # A name that is not ASCII cannot stand in a certificate, and nobody can call the machine by it.
            made += [x509.DNSName(name)] if name.isascii() else []
    return made


def _signed(names: Sequence[str], at: datetime) -> bytes:
    """A new key and its certificate (PEM)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simul, signed by itself")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of a local network differ; one that is a little late must not call it not yet valid.
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at - timedelta(days=1) + VALID)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
