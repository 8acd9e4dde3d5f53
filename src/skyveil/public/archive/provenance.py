"""Signs an export so that anyone can tell who made it and that no byte changed since: a C2PA manifest. Public side.

C2PA 2.2 (https://spec.c2pa.org), by the extra `c2pa`. What was done stands in an assertion of our own, because the
specification's `c2pa.redacted` is about assertions that were taken out, not about pictures.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from skyveil.core.errors import OutputRefused, SettingsRefused

ASSERTION: Final = "org.skyveil.redaction"
_SOURCE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
_CURVES: Final = {"secp256r1": b"es256", "secp384r1": b"es384", "secp521r1": b"es512"}


@final
@dataclass(frozen=True, slots=True)
class Credential:
    """PEM files: the certificate with those of its authorities behind it, and its private key (EC or Ed25519)."""

    certificate: Path
    key: Path


@final
@dataclass(frozen=True, slots=True)
class Made:
    """What a manifest says of an export; targets: what was covered when it was made."""

    camera: str
    from_s: float
    to_s: float
    targets: tuple[str, ...]
    chain_head: str | None
    version: str


def sign(path: Path, made: Made, credential: Credential) -> None:
    """Put a signed manifest into an MP4, in its place.

    Raises SettingsRefused when the extra or the credential is missing or wrong, OutputRefused when signing fails.
    """
    try:
        import c2pa  # type: ignore[import-untyped]  # it has no types
    except ImportError as error:
        raise SettingsRefused("signing exports needs the extra `c2pa`: pip install skyveil[c2pa]") from error

    signed = path.with_suffix(".signed.mp4")
    try:
        algorithm, certificates, key = _read(credential)
        info = c2pa.C2paSignerInfo(algorithm, certificates, key, None)  # no time-stamp authority: nothing is asked
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(_manifest(made)) as builder:
            builder.sign_file(str(path), str(signed), signer)
        signed.replace(path)
    except c2pa.C2paError as error:
        raise OutputRefused(f"the export can not be signed: {error}") from error
    finally:
        signed.unlink(missing_ok=True)


def _manifest(made: Made) -> str:
    edited = f"{', '.join(made.targets)} covered in this export"
    return json.dumps(
        {
            "claim_generator_info": [{"name": "Skyveil", "version": made.version}],
            "title": f"{made.camera} {made.from_s:.0f} to {made.to_s:.0f}",
            "assertions": [
                {
                    "label": "c2pa.actions.v2",
                    "data": {
                        "actions": [
                            {"action": "c2pa.created", "digitalSourceType": _SOURCE},
                            {"action": "c2pa.edited", "description": edited},
                        ]
                    },
                },
                {
                    "label": ASSERTION,
                    "data": {
                        "camera": made.camera,
                        "from_s": made.from_s,
                        "to_s": made.to_s,
                        "targets": list(made.targets),
                        "chain_head": made.chain_head,
                    },
                },
            ],
        }
    )


def _read(credential: Credential) -> tuple[bytes, bytes, bytes]:
    """Algorithm, certificates and key; raises SettingsRefused."""
    try:
        certificates, key = credential.certificate.read_bytes(), credential.key.read_bytes()
        leaf = x509.load_pem_x509_certificates(certificates)[0]
        private = load_pem_private_key(key, None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm, IndexError) as error:
        raise SettingsRefused(
            f"the credential for exports can not be read: {type(error).__name__}: PEM files without a passphrase"
        ) from error
    if leaf.public_key() != private.public_key():
        raise SettingsRefused("the key for exports is not that of its certificate")
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return b"ed25519", certificates, key
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return _CURVES[private.curve.name], certificates, key
    raise SettingsRefused("the key for exports is of a kind that is not used: make one on P-256 or Ed25519")
