"""The configuration of a site: read, checked, changed. App."""

from skyveil.app.config.edit import set_masks
from skyveil.app.config.files import refuse_unusable, refuse_unusable_server, refuse_unusable_tls
from skyveil.app.config.load import load, reloaded, schema, specs
from skyveil.app.config.models import Camera, Config, Server
from skyveil.app.config.outputs import Told, sent_on, told
from skyveil.app.config.passwords import Secrets

__all__ = [
    "Camera",
    "Config",
    "Secrets",
    "Server",
    "Told",
    "load",
    "refuse_unusable",
    "refuse_unusable_server",
    "refuse_unusable_tls",
    "reloaded",
    "schema",
    "sent_on",
    "set_masks",
    "specs",
    "told",
]
