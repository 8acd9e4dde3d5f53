import copy

import pytest

from skyveil.core.errors import SettingsRefused
from skyveil.core.secret import SafeUrl, Secret


def test_a_secret_prints_as_stars_wherever_it_goes() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    for shown in (str(secret), repr(secret), f"{secret}", f"{[secret]}", f"{secret!s:>10}"):
        assert "hunter2" not in shown


def test_a_secret_can_not_be_pickled_or_copied() -> None:
    secret = Secret("hunter2")
    with pytest.raises(SettingsRefused):
        copy.copy(secret)
    with pytest.raises(SettingsRefused):
        secret.__reduce_ex__(5)


def test_an_address_prints_without_its_query() -> None:
    url = SafeUrl("rtsp://Camera.example:8554/live/1?token=hunter2")
    assert (url.scheme, url.host, url.port, url.path) == ("rtsp", "camera.example", 8554, "/live/1")
    assert "hunter2" not in f"{url} {url!r}"
    assert url.reveal().endswith("token=hunter2")


@pytest.mark.parametrize(
    ("text", "port"),
    [("rtsp://h/a", 554), ("rtsps://h/a", 322), ("http://h", 80), ("https://[::1]/x", 443), ("file:///a.mp4", 0)],
)
def test_an_address_knows_the_usual_port_of_its_scheme(text: str, port: int) -> None:
    assert SafeUrl(text).port == port


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://user:pw@h/a",
        "rtsp://user@h/a",
        "no address",
        "rtsp://",
        "",
        "rtsp://h:99999/",
        "rtsp://h:0/",
        "http://h/a\nb",
        "http://[::1/",
    ],
)
def test_what_is_no_address_or_holds_a_password_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        SafeUrl(text)
    assert "pw" not in str(refused.value)


def test_an_address_finds_others_on_its_server_and_knows_those_that_are_not() -> None:
    url = SafeUrl("https://camera:8443/live/a.m3u8?token=1")
    assert (url.authority, url.reveal_target()) == ("camera:8443", "/live/a.m3u8?token=1")
    assert SafeUrl("http://camera").reveal_target() == "/"
    assert url.joined("../b/c.ts#part").reveal() == "https://camera:8443/b/c.ts"
    assert url.same_server(url.joined("/other"))
    for other in ("http://camera:8443/", "https://camera/", "https://Camera2:8443/", "//elsewhere/x", "file:///x"):
        assert not url.same_server(url.joined(other))
    with pytest.raises(SettingsRefused):
        url.joined("//user@camera:8443/")
    with pytest.raises(SettingsRefused):
        url.joined("//[bad")
