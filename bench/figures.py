"""The figures of one bench run, and the page they become."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.measure import Usage
from skyveil.app.evaluate import PictureScore, VideoScore
from skyveil.app.leak import Tally, wilson

Cell = str


@dataclass(frozen=True)
class Pairs:
    """Runs of a plain transcode and of a redaction, in turn."""

    plain: list[Usage]
    ours: list[Usage]

    @property
    def ratios(self) -> list[float]:
        """CPU of the plain transcode divided by ours, pair by pair: 1 is a redaction that costs nothing."""
        return [one.cpu_s / other.cpu_s for one, other in zip(self.plain, self.ours, strict=True)]


@dataclass(frozen=True)
class DefaceFigures:
    """The peer on the labelled frames of a clip, beside a plain transcode of the same frames."""

    frames: int
    plain: Usage
    used: Usage
    leak: VideoScore


@dataclass(frozen=True)
class ClipFigures:
    """One clip; `start` is of its first frame alone."""

    name: str
    about: str
    frames: int
    pairs: Pairs
    leak: VideoScore
    precision: str
    start: Pairs
    deface: DefaceFigures


@dataclass(frozen=True)
class MovingFigures:
    """The video of moving faces; `score` as bench/moving_faces.py gives it."""

    pairs: Pairs
    score: dict[str, object]


@dataclass(frozen=True)
class PictureFigures:
    """The picture folder, ours and the peer's in turn."""

    pictures: int
    ours: list[Usage]
    deface: list[Usage]
    ours_leak: PictureScore
    deface_leak: PictureScore

    @property
    def wall_ratio(self) -> float:
        """Our wall divided by deface's, the median over pairs."""
        return median(one.wall_s / other.wall_s for one, other in zip(self.ours, self.deface, strict=True))

    @property
    def cpu_ratio(self) -> float:
        """Our CPU divided by deface's, the median over pairs; on a loaded machine it says more than the wall."""
        return median(one.cpu_s / other.cpu_s for one, other in zip(self.ours, self.deface, strict=True))


@dataclass(frozen=True)
class Figures:
    """Everything a run measured."""

    machine: dict[str, str]
    runs: int
    settings: str
    clips: list[ClipFigures]
    moving: MovingFigures
    pictures: PictureFigures
    load: str


def page_of(figures: Figures) -> str:
    """docs/reference/benchmarks.md."""
    clips = figures.clips
    rows_speed = [_speed_row(clip.name, clip.frames, clip.pairs) for clip in clips]
    rows_speed.append(_speed_row("moving faces", int(str(figures.moving.score["frames"])), figures.moving.pairs))
    parts = [
        INTRODUCTION,
        _machine(figures),
        "## Video: speed\n\n" + _table(SPEED_HEAD, rows_speed),
        f"{RATIO_NOTE}\n\n" + "\n".join(f"- *{clip.name}*: {clip.about}." for clip in clips),
        "## Video: start-up\n\nOne frame of each clip.\n\n" + _table(START_HEAD, [_start_row(clip) for clip in clips]),
        "## Video: what stays visible\n\n" + _table(LEAK_HEAD, [row for clip in clips for row in _leak_rows(clip)]),
        LEAK_NOTE,
        "## Faces that move\n\n" + _moving(figures.moving),
        "## Pictures\n\n" + _pictures(figures.pictures),
        NOT_MEASURED,
    ]
    return "\n\n".join(parts) + "\n"


def _speed_row(name: str, frames: int, pairs: Pairs) -> list[Cell]:
    plain, ours = _ms(pairs.plain, frames), _ms(pairs.ours, frames)
    wall = [median(run.wall_s for run in runs) / frames * 1000 for runs in (pairs.plain, pairs.ours)]
    ratios = ", ".join(f"{ratio:.2f}" for ratio in pairs.ratios)
    return [
        name,
        str(frames),
        f"{plain:.2f}",
        f"{ours:.2f}",
        f"**{median(pairs.ratios):.2f}** ({ratios})",
        f"{wall[0]:.2f} / {wall[1]:.2f}",
        f"{_peak(pairs.ours):.0f}",
    ]


def _start_row(clip: ClipFigures) -> list[Cell]:
    plain, ours = (median(run.cpu_s for run in runs) for runs in (clip.start.plain, clip.start.ours))
    return [clip.name, f"{plain:.2f}", f"{ours:.2f}", f"{median(run.wall_s for run in clip.start.ours):.2f}"]


def _leak_rows(clip: ClipFigures) -> list[list[Cell]]:
    deface = clip.deface
    times = deface.used.cpu_s / deface.plain.cpu_s
    return [
        _leak_row(f"{clip.name}, skyveil", clip.leak, f"{1 / median(clip.pairs.ratios):.1f}"),
        _leak_row(f"{clip.name}, deface", deface.leak, f"{times:.0f} ({deface.frames} frames)"),
    ]


def _leak_row(name: str, leak: VideoScore, transcodes: str) -> list[Cell]:
    tracks = f"{leak.runs.tracks_with(3)} of {len(leak.runs.longest)}"
    return [name, share(leak.heads), tracks, f"{leak.cover.changed_share * 100:.1f} %", transcodes]


def _moving(moving: MovingFigures) -> str:
    score = moving.score
    low, high = wilson(int(str(score["leaked"])), int(str(score["face_frames"])))
    leaked = float(str(score["leaked_share"])) * 100
    return (
        f"Made by `bench/moving_faces.py` from labelled pictures. Leaked: **{leaked:.2f} %** of "
        f"{score['face_frames']} face-frames ({low * 100:.2f} to {high * 100:.2f}); the longest time a face stayed "
        f"uncovered is **{score['longest_uncovered_s']} s**, at a ratio of {median(moving.pairs.ratios):.2f} and "
        f"{float(str(score['needless_share'])) * 100:.1f} % of the picture covered away from faces."
    )


def _pictures(pictures: PictureFigures) -> str:
    rows = []
    for name, runs, leak in (
        ("skyveil", pictures.ours, pictures.ours_leak),
        ("deface", pictures.deface, pictures.deface_leak),
    ):
        wall = median(run.wall_s for run in runs)
        needless = f"{leak.cover.needless_share * 100:.1f} %"
        cpu = _ms(runs, pictures.pictures)
        rows.append([name, share(leak.boxes), needless, f"{wall:.1f}", f"{cpu:.0f}", f"{_peak(runs):.0f}"])
    told = (
        f"{pictures.pictures} pictures. Our time divided by deface's, pair by pair: "
        f"wall **{pictures.wall_ratio:.2f}**, CPU **{pictures.cpu_ratio:.2f}**."
    )
    return f"{told}\n\n{_table(PICTURE_HEAD, rows)}"


def _machine(figures: Figures) -> str:
    facts = {
        **figures.machine,
        "networks compute in": ", ".join(sorted({clip.precision for clip in figures.clips})),
        "load in the last minute": figures.load,
        "command": f"`python -m bench --runs {figures.runs}`; redact with `{figures.settings}`, otherwise as it comes",
    }
    return "## Machine\n\n" + _table(["what", "which"], [[name, fact] for name, fact in facts.items()])


def share(tally: Tally) -> str:
    """Leaked share with its interval, in per cent."""
    low, high = wilson(tally.leaked, tally.total)
    return f"**{tally.share * 100:.2f} %** of {tally.total} ({low * 100:.2f} to {high * 100:.2f})"


def _ms(runs: Sequence[Usage], frames: int) -> float:
    return median(run.cpu_s for run in runs) / frames * 1000


def _peak(runs: Sequence[Usage]) -> float:
    return max(run.peak_mb for run in runs)


def _table(head: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> str:
    def line(cells: Sequence[Cell]) -> str:
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


SPEED_HEAD = ["clip", "frames", "transcode, CPU ms", "redact, CPU ms", "ratio (each pair)", "wall ms", "peak MB"]
START_HEAD = ["clip", "transcode, CPU s", "redact, CPU s", "redact, wall s"]
LEAK_HEAD = ["clip", "leaked head-frames", "tracks with 3 in a row", "changed", "CPU in transcodes"]
PICTURE_HEAD = ["program", "leaked faces", "needless", "wall s", "CPU ms a picture", "peak MB"]

INTRODUCTION = """# Benchmarks

Written by `make bench`. Every program runs in fresh processes, its children counted, in turn with the one it is
compared with; figures are medians, ratios are of neighbouring runs. Speed stands beside what stays visible, because
either alone is worth nothing."""

RATIO_NOTE = """CPU of a plain transcode (PyAV, libx264 ultrafast, `bench/transcode.py`) divided by CPU of
`redact --preset ultrafast`, whole processes, start-up included. Milliseconds are a frame. Peak is the largest sum of
resident memory over all processes of a run, pages that they share counted each time."""

LEAK_NOTE = """A head is the top 17 % and the middle 60 % of a labelled person; it leaks when less than 80 % of it is
hidden. Labels exist for the first 397 frames of the first pass. deface runs with `--replacewith solid --boxes`."""

NOT_MEASURED = """## Not measured

Other processors, a GPU, more than one file at a time, and what the intervals can not say: they hold for these scenes,
sizes and light, and for no others. See [limits](../concept/limits.md)."""
