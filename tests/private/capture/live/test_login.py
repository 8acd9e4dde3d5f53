"""What cameras ask for as proof, and what they get."""

import hashlib

import pytest

from skyveil.core.challenge import challenges
from skyveil.core.health import CameraUnavailable
from skyveil.core.secret import Secret
from skyveil.private.capture.live.login import Login

URL = "rtsp://10.0.0.5/1"


def answered(*headers: str) -> tuple[str, dict[str, str]]:
    login = Login("viewer", Secret("hunter2"))
    login.accept(headers)
    (one,) = challenges(login.header("DESCRIBE", URL))
    return one.scheme, one.fields


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("header", "realm"),
    [
        ('Digest realm="Hall 3, north", nonce="n"', "Hall 3, north"),
        ('Basic realm="other", Digest realm="camera", nonce="n"', "camera"),
        ('Digest realm="camera", nonce="n", Basic realm="other"', "camera"),
        (r'Digest realm="the \"hall\"", nonce="n"', 'the "hall"'),
    ],
)
def test_a_password_is_proven_for_the_realm_that_digest_names(header: str, realm: str) -> None:
    scheme, fields = answered(header)
    first, second = md5(f"viewer:{realm}:hunter2"), md5(f"DESCRIBE:{URL}")
    assert (scheme, fields["realm"], fields["response"]) == ("digest", realm, md5(f"{first}:n:{second}"))


def test_a_quality_of_protection_is_found_among_others() -> None:
    _, fields = answered('Digest realm="camera", nonce="n", qop="auth-int,auth"')
    first, second = md5("viewer:camera:hunter2"), md5(f"DESCRIBE:{URL}")
    assert fields["response"] == md5(f"{first}:n:00000001:{fields['cnonce']}:auth:{second}")


def test_the_strongest_known_hash_is_taken_wherever_it_stands() -> None:
    ways = [f'Digest realm="c", nonce="{kind}", algorithm={kind}' for kind in ("MD5", "SHA-256", "SHA-512-256")]
    assert answered(*ways)[1]["nonce"] == answered(", ".join(ways))[1]["nonce"] == "SHA-256"


def test_a_password_is_sent_only_where_nothing_else_is_offered() -> None:
    login = Login("viewer", Secret("hunter2"))
    login.accept(['Negotiate, Basic realm="camera"'])
    assert login.header("DESCRIBE", URL) == "Basic dmlld2VyOmh1bnRlcjI="
    with pytest.raises(CameraUnavailable):
        Login("viewer", Secret("hunter2")).accept(["Negotiate"])
