"""Seals: signatures of the ledger with a key that is kept elsewhere.

The ledger's own chain shows accidents and clumsy changes, but whoever can write the whole ledger can make a new chain.
A seal cannot be made anew without the key. ``archive/seals.jsonl`` holds one line per seal: how many lines the ledger
had, the hash of the last of them, the time, which key, and an Ed25519 signature over these. Since every line holds the
hash of the one before, a seal vouches for all lines up to it, and through the recorded manifests for every published
byte. Lines after the last seal are not vouched for, and verification says how many they are.

The private key belongs on another machine or medium; to check seals, the public key is enough:

    openssl genpkey -algorithm ed25519 -out seal.pem
    openssl pkey -in seal.pem -pubout -out seal.pub
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive.journal import append_line
from dagster_project.archive.store import Archive
from dagster_project.diagnostics import Finding, IntegrityProblem, OppfolgingError, Severity
from dagster_project.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FILE = "seals.jsonl"
SIGNED = ("head", "key", "lines", "time")


class KeyProblem(OppfolgingError):
    """The key file cannot be used."""


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyProblem(f"{path.name} does not hold a private key in PEM form without a password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"{path.name} holds another kind of key; a seal needs an Ed25519 key.")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        content = path.read_bytes()
        if b"PRIVATE KEY" in content:
            return _private_key(path).public_key()
        key = load_pem_public_key(content)
    except (OSError, ValueError) as error:
        raise KeyProblem(f"{path.name} does not hold a public key in PEM form.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyProblem(f"{path.name} holds another kind of key; a seal needs an Ed25519 key.")
    return key


def _name(key: Ed25519PublicKey) -> str:
    """A short name of the key: the beginning of the hash of its public half."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _message(seal: dict[str, Any]) -> bytes:
    return json.dumps({name: seal.get(name) for name in SIGNED}, sort_keys=True).encode()


def seal(settings: Settings, key_file: Path, *, now: dt.datetime) -> dict[str, Any]:
    """Sign the ledger as it stands and keep the seal beside it; return the seal.

    Raises:
        KeyProblem: the file holds no Ed25519 private key.
        IntegrityProblem: archive or ledger are not as recorded; nothing is sealed.
        OppfolgingError: there is nothing to seal.
    """
    key = _private_key(key_file)
    archive = Archive(settings)
    if findings := archive.verify():
        raise IntegrityProblem("The archive differs from what was recorded, so it was not sealed.", findings)
    lines = archive.ledger.read_bytes().splitlines() if archive.ledger.exists() else []
    if not lines:
        raise OppfolgingError("The ledger is empty; there is nothing to seal.")
    made = {"head": hashlib.sha256(lines[-1]).hexdigest(), "key": _name(key.public_key()), "lines": len(lines),
            "time": now.isoformat()}  # fmt: skip
    made["signature"] = key.sign(_message(made)).hex()
    append_line(archive.root / FILE, made)
    return made


def check(settings: Settings, key_file: Path) -> tuple[list[Finding], int]:
    """Check the seals made with a key. Returns the findings and how many lines of the ledger the last seal vouches for.

    Raises:
        KeyProblem: the file holds no Ed25519 key.
    """
    from cryptography.exceptions import InvalidSignature

    key = _public_key(key_file)
    archive = Archive(settings)
    lines = archive.ledger.read_bytes().splitlines() if archive.ledger.exists() else []
    path = archive.root / FILE
    findings: list[Finding] = []

    def add(code: str, message: str, row: int | None, **more: Any) -> None:
        findings.append(Finding(code, Severity.FAIL, message, stage="seals", file=FILE, row=row, **more))

    vouched = others = 0
    for row, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), start=1):
        try:
            made = json.loads(line)
            if made["key"] != _name(key):
                others += 1
                continue
            key.verify(bytes.fromhex(made["signature"]), _message(made))
        except (ValueError, KeyError, TypeError, InvalidSignature):
            add("seal-not-genuine", "the line is not a seal of this key", row, fix="Restore the seals from a copy.")
            continue
        if made["lines"] > len(lines):
            add("sealed-lines-missing", "the ledger had more lines when it was sealed", row,
                found=str(len(lines)), expected=str(made["lines"]), fix="Restore the ledger from a copy.")  # fmt: skip
        elif (found := hashlib.sha256(lines[made["lines"] - 1]).hexdigest()) != made["head"]:
            add("sealed-line-changed", f"line {made['lines']} of the ledger differs from what was "
                                       "sealed", row, found=found,
                expected=made["head"], fix="Restore the ledger from a copy.")  # fmt: skip
        else:
            vouched = max(vouched, made["lines"])
    if not vouched and not findings:
        add("seal-missing", "no seal was made with this key", None, found=f"{others} seals of other keys",
            fix="oppfolging seal --key FILE")  # fmt: skip
    return findings, vouched
