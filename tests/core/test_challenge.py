import pytest

from skyveil.core.challenge import Challenge, challenges


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('Basic realm="camera"', [("basic", {"realm": "camera"})]),
        # commas, quotes and backslashes in what is quoted
        ('Digest realm="Hall 3, north", NONCE=abc', [("digest", {"realm": "Hall 3, north", "nonce": "abc"})]),
        (r'Digest realm="the \"hall\"\\"', [("digest", {"realm": 'the "hall"' + "\\"})]),
        (r'Digest realm="SITE\camera"', [("digest", {"realm": r"SITE\camera"})]),
        ('digest qop="auth-int,auth", nonce="n=="', [("digest", {"qop": "auth-int,auth", "nonce": "n=="})]),
        # several ways in one line
        ('Basic realm="a", Digest realm="b"', [("basic", {"realm": "a"}), ("digest", {"realm": "b"})]),
        ('Digest realm="b",Basic realm="a"', [("digest", {"realm": "b"}), ("basic", {"realm": "a"})]),
        ("Negotiate, Basic", [("negotiate", {}), ("basic", {})]),
        # spaces around signs, an empty value, a quote that never ends
        ('Digest realm = "a" ,stale= ,nonce="b', [("digest", {"realm": "a", "stale": "", "nonce": ""}), ("b", {})]),
        ('realm="a"', []),
        ("", []),
        (' ,="', []),
    ],
)
def test_a_header_is_read_as_the_ways_that_it_names(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert challenges(header) == tuple(Challenge(*one) for one in found)
