"""The HTML of a report. Public side: it is given text, numbers and pictures, and opens nothing but its own frame.

It is put together here and not by a template engine: importing one and compiling a template took 0.08 s of the 0.5 s
that the parent process takes for a short video.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final, final

from skyveil.public.record.result import Json, Result, software
from skyveil.public.wire import Suspect

_FRAME: Final = Path(__file__).with_name("report.html")
_FILES: Final = "<!-- files -->\n"
"""Where the files stand in the frame."""


@final
@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the contact sheet: seconds of media time and a JPEG as a data address."""

    time_s: float
    address: str


@final
@dataclass(frozen=True, slots=True)
class Curve:
    """The covered share over time: the points of an SVG polyline, its size, and the share at its top, 0 to 1."""

    points: str
    width: float
    height: float
    top: float


@final
@dataclass(frozen=True, slots=True)
class Shown:
    """One file of a run as the page shows it. Every text in it is escaped here."""

    name: str
    note: str
    result: Result | None
    pictures: Sequence[Picture]
    curve: Curve
    suspects: Sequence[Suspect]


def page_of(files: Sequence[Shown]) -> str:
    """The whole page."""
    before, after = _FRAME.read_text(encoding="utf-8").split(_FILES)
    parts = [_overview(files)] if len(files) > 1 else []
    parts += [_file(file, file.result) for file in files if file.result is not None]
    return "".join((before, *parts, after))


def _overview(files: Sequence[Shown]) -> str:
    rows = ["<tr><th>File</th><th>State</th><th>Frames</th><th>Covered</th></tr>"]
    for file in files:
        result = file.result
        if result is None:
            cells = f'<td class="warn">{escape(file.note)}</td><td></td><td></td>'
        else:
            warns = ' class="warn"' if result.finished.damaged or file.suspects else ""
            state = ("damaged" if result.damaged else "done") + (", suspects left" if file.suspects else "")
            cells = (
                f"<td{warns}>{state}</td><td>{result.finished.frames}</td><td>{result.covered_share * 100:.1f} %</td>"
            )
        rows.append(f"<tr><td>{escape(file.name)}</td>{cells}</tr>")
    return _lines("<table>", *rows, "</table>")


def _file(file: Shown, result: Result) -> str:
    done = result.finished
    parts = [f"<h2>{escape(file.name)} &rarr; {escape(result.output.name)}</h2>"]
    if done.damaged:
        parts.append(f'<p class="warn">{done.damaged} damaged frames of the input are covered wholly.</p>')
    if file.pictures:
        parts += ['<div class="sheet">', *map(_figure, file.pictures), "</div>"]
    parts += ['<table class="figures">', *_figures(result), "</table>"]
    if len(done.covered_share_per_s) > 1:
        parts += _drawn(file.curve, done.duration_s)
    if file.suspects:
        parts.append(
            '<p class="warn">Suspected leaks, still in the output. Cover them with <code>--mask</code> or'
            " <code>--add</code>:</p>"
        )
        titles = "<tr><th>Kind</th><th>From</th><th>To</th><th>Box (left, top, right, bottom; pixels)</th></tr>"
        parts += ['<table class="figures">', titles, *map(_suspect, file.suspects), "</table>"]
    parts += ["<details><summary>Settings, networks, hashes, wall</summary>", "<table>"]
    return _lines(*parts, *_details(result), "</table></details>")


def _figure(picture: Picture) -> str:
    at = f"{picture.time_s:.1f} s"
    shown = f'<img src="{escape(picture.address)}" alt="redacted frame at {at}">'
    return f"<figure>{shown}<figcaption>{at}</figcaption></figure>"


def _figures(result: Result) -> Iterable[str]:
    done, verified = result.finished, result.verified
    yield _row("Frames", f"{done.frames}, of which {done.whole} covered wholly")
    gaps = f", {len(done.gaps)} gaps without a frame" if done.gaps else ""
    yield _row("Length", f"{done.duration_s:.2f} s{gaps}")
    yield _row("Covered share of the picture", f"{result.covered_share * 100:.2f} % on average")
    yield _row("Left out of the output", escape(", ".join(done.dropped)) or "nothing beside file metadata")
    if verified is None:
        said = 'not asked for (<code class="option">--verify</code>)'
    else:
        by = "by another network" if verified.independent else "not independent"
        said = f"{by}: {verified.suspects_found} suspects found, {verified.suspects_left} left"
    yield _row("Second look", said)


def _drawn(curve: Curve, duration_s: float) -> Iterable[str]:
    scale = f"0 to {round(curve.top * 100)} % from bottom to top"
    yield f'<p class="note">Covered share of the picture over time, {scale}:</p>'
    yield (
        f'<svg viewBox="0 0 {curve.width} {curve.height}" preserveAspectRatio="none" role="img"'
        f' aria-label="covered share over time"><polyline points="{curve.points}"/></svg>'
    )
    yield f'<p class="ends"><span>start</span><span>{duration_s:.1f} s</span></p>'


def _suspect(suspect: Suspect) -> str:
    box = ", ".join(map(str, suspect.xyxy))
    times = f"<td>{suspect.start_s:.2f} s</td><td>{suspect.end_s:.2f} s</td>"
    return f"<tr><td>{suspect.kind.name.lower()}</td>{times}<td>{box}</td></tr>"


def _details(result: Result) -> Iterable[str]:
    for name, value in result.settings.items():
        yield _row(escape(name), escape(_told(value)))
    for model in result.finished.models:
        yield _row("network", f"{escape(model.name)} <code>{escape(model.sha256)}</code>")
    yield _row("computed in", escape(result.finished.precision))
    yield _row("output sha256", f"<code>{escape(result.output.sha256 or 'not told')}</code>")
    yield _row("input sha256", f"<code>{escape(result.input.sha256 or 'not told')}</code>")
    missing = f"; missing: {', '.join(result.wall.missing)}" if result.wall.missing else ""
    yield _row("wall around raw pixels", escape(", ".join(result.wall.holds) + missing))
    for name, version in software().items():
        yield _row(escape(name), escape(str(version or "not installed")))


def _told(value: Json) -> str:
    """A setting in words."""
    if value is None:
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _row(title: str, content: str) -> str:
    """One line of a table; both are HTML already."""
    return f"<tr><th>{title}</th><td>{content}</td></tr>"


def _lines(*parts: str) -> str:
    return "".join(f"{part}\n" for part in parts)
