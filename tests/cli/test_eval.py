"""`skyveil eval` as a person runs it: with a worker that covers everything, so every figure is known."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.cli.running import run


def labelled(folder: Path, *names: str) -> Path:
    """A set of pictures of noise, each with two faces, 10 and 24 px high."""
    folder.mkdir()
    noise = np.random.default_rng(1).integers(60, 255, (48, 64, 3), dtype=np.uint8)
    for name in names:
        Image.fromarray(noise).save(folder / name)
    boxes = [[2, 2, 12, 12, "face"], [30, 10, 50, 34, "face"]]
    images = [{"image": name, "boxes": boxes} for name in names]
    (folder / "labels.json").write_text(json.dumps({"set": folder.name, "kind": "face boxes", "images": images}))
    return folder


def test_a_set_where_all_is_covered_leaks_nothing(tmp_path: Path) -> None:
    data = labelled(tmp_path / "halls", "a.png", "b.png")
    ran = run("eval", "--data", data, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["schema"] == "skyveil.eval/1"
    assert (told["set"], told["targets"], told["mode"]) == ("halls", ["face", "head"], "balanced")
    assert (told["images"], told["boxes"], told["leaked"], told["missing_or_resized"]) == (2, 4, 0, 0)
    assert told["cost"]["frames"] == 2
    assert told["cost"]["cpu_s"] > 0
    assert sorted(path.name for path in data.iterdir()) == ["a.png", "b.png", "labels.json"]


def test_a_picture_that_fails_counts_as_bare_and_the_exit_code_says_so(tmp_path: Path) -> None:
    ran = run("eval", "--data", labelled(tmp_path / "halls", "a.png", "raises.png"), "--json")
    assert ran.code == 1
    told = json.loads(ran.out)
    assert (told["boxes"], told["leaked"], told["missing_or_resized"]) == (4, 2, 1)
    assert told["failed"] == ["raises.png: the network raised on purpose"]


def test_lines_say_share_interval_size_and_cost(tmp_path: Path) -> None:
    ran = run("eval", "--data", labelled(tmp_path / "halls", "a.png"), "--mode", "strict", "--target", "face")
    assert ran.code == 0, ran.err
    assert "halls: strict, face" in ran.out
    assert "leaked       0.00 % of 2 boxes (95 % interval 0.00 % to 65.76 %)" in ran.out
    assert "0 to 12 px high: 0 of 1" in ran.out
    assert "20 to 32 px high: 0 of 1" in ran.out
    assert "ms of CPU" in ran.out


def test_only_the_named_set_of_a_folder_is_measured(tmp_path: Path) -> None:
    labelled(tmp_path / "halls", "a.png")
    labelled(tmp_path / "streets", "a.png")
    ran = run("eval", "--set", "streets", "--json", SKYVEIL_EVAL_DATA=str(tmp_path))
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["set"] == "streets"


def test_pictures_of_one_name_in_two_folders_are_both_measured(tmp_path: Path) -> None:
    data = labelled(tmp_path / "halls", "a.png")
    (data / "more").mkdir()
    (data / "more" / "a.png").write_bytes((data / "a.png").read_bytes())
    boxes = [[2, 2, 12, 12, "face"]]
    images = [{"image": name, "boxes": boxes} for name in ("a.png", "more/a.png")]
    (data / "labels.json").write_text(json.dumps({"kind": "face boxes", "images": images}))
    told = json.loads(run("eval", "--data", data, "--json").out)
    assert (told["set"], told["boxes"], told["leaked"], told["missing_or_resized"]) == ("halls", 2, 0, 0)


def test_an_unknown_set_is_a_usage_error_that_names_the_known(tmp_path: Path) -> None:
    labelled(tmp_path / "halls", "a.png")
    ran = run("eval", "--data", tmp_path, "--set", "hall")
    assert ran.code == 2
    assert "there are halls" in ran.err


def test_no_data_is_a_usage_error() -> None:
    ran = run("eval", SKYVEIL_EVAL_DATA="")
    assert ran.code == 2
    assert "--data" in ran.err


def test_a_folder_without_labels_fails_in_one_line(tmp_path: Path) -> None:
    ran = run("eval", "--data", tmp_path)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "labels.json" in ran.err
