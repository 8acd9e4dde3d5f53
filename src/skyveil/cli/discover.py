"""`skyveil discover`: finds ONVIF cameras and their streams, to be written into a configuration. CLI."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, final

import typer

from skyveil.cli.site import ask_password, one_line
from skyveil.core.health import CameraUnavailable

if TYPE_CHECKING:
    from skyveil.app.discovery import Device
    from skyveil.app.onvif import Offers

_AT_ONCE: Final = 8


@final
@dataclass(frozen=True, slots=True)
class _Asked:
    """A device, and what it offers or why not."""

    device: "Device"
    offers: "Offers | None"
    trouble: str


def discover(
    address: Annotated[
        list[str] | None, typer.Option(metavar="HOST[:PORT]", help="Ask this host only; may be repeated.")
    ] = None,
    interface: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Ask on this network interface only; may be repeated.")
    ] = None,
    username: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name for the cameras; the password is asked for, or piped.")
    ] = None,
    secret: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the password in the secrets file, for --yaml.")
    ] = "cameras",  # noqa: S107 (a name)
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="How long to wait for answers.")] = 3.0,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print lines for skyveil.yaml.")] = False,
) -> None:
    """Find ONVIF cameras in the networks of this machine, and the addresses of their streams.

    Nothing is changed on a camera, and no password is printed. Exit 1 when none answers.
    """
    from skyveil.app.discovery import find

    with one_line():
        password = None if username is None else ask_password(twice=False)
        devices = find(interfaces=interface or (), addresses=address or (), seconds=seconds)
    if not devices:
        typer.echo(
            "no ONVIF device answered: see that ONVIF is on in the cameras, or name one with --address", err=True
        )
        raise typer.Exit(1)

    def asked(device: "Device") -> _Asked:
        from skyveil.app.onvif import OnvifDevice

        try:
            return _Asked(device, OnvifDevice(device.service, username, password).offers(), "")
        except CameraUnavailable as error:
            return _Asked(device, None, str(error))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(asked, devices))
    if as_yaml:
        _print_yaml(found, username, secret)
    else:
        _print_table(found)


def _print_table(found: list[_Asked]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("address", "device", "profile", "picture", "source", box=None, pad_edge=False)
    for one in found:
        name = _named(one)
        if one.offers is None or not one.offers.streams:
            table.add_row(one.device.host, name, "", "", one.trouble or "offers no stream")
            continue
        for stream in one.offers.streams:
            picture = f"{stream.codec} {stream.width}x{stream.height} {stream.fps:g}/s"
            where = _plain(stream.source.reveal()) + (" (on another host)" if stream.elsewhere else "")
            table.add_row(one.device.host, name, _plain(stream.profile), picture, where)
    # Whoever reads it by a program gets whole lines.
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 1000)
    console.print(table)
    for one in found:
        offset_s = None if one.offers is None else one.offers.clock_offset_s
        if offset_s is not None and abs(offset_s) > 2:
            typer.echo(f"{one.device.host}: its clock is {abs(offset_s):.0f} s {'ahead' if offset_s > 0 else 'behind'}")


def _print_yaml(found: list[_Asked], username: str | None, secret: str) -> None:
    """One camera for each device, with its largest stream; its others as comments."""
    import yaml

    typer.echo("# A purpose is required: write why each camera is there.\ncameras:")
    for one in found:
        if one.offers is None:
            typer.echo(f"  # {one.device.host}: {one.trouble}")
            continue
        largest_first = sorted(one.offers.streams, key=lambda stream: -stream.width * stream.height)
        for number, stream in enumerate(largest_first):
            camera: dict[str, str | dict[str, str]] = {
                "id": f"camera-{one.device.host.replace('.', '-')}",
                "name": _named(one)[:200] or one.device.host,
                "purpose": "",
                "source": stream.source.reveal(),
            }
            if username is not None:
                camera |= {"username": username, "password": {"secret": secret}}
            line = yaml.safe_dump(camera, default_flow_style=True, sort_keys=False, width=10_000).strip()
            typer.echo(f"  {'# ' if number or stream.elsewhere else ''}- {line}")


def _named(one: _Asked) -> str:
    told = "" if one.offers is None else f"{one.offers.maker} {one.offers.model}".strip()
    return _plain(told or one.device.name or one.device.hardware)


def _plain(text: str) -> str:
    """A stranger's text on one line, without what would change the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
