"""The configuration of a site: read, checked, changed. App."""

from skyveil.app.config.edit import set_masks
from skyveil.app.config.load import Secrets, load, specs
from skyveil.app.config.models import Camera, Config, Server

__all__ = ["Camera", "Config", "Secrets", "Server", "load", "set_masks", "specs"]
