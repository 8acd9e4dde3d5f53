"""All that another configuration changes in a site that runs, made before any of it is changed. App."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from skyveil.app.config import Config, Secrets, Told, refuse_unusable_tls, reloaded, sent_on, told
from skyveil.app.config.measured import with_places
from skyveil.app.config.restart import in_force
from skyveil.app.crowd_plan import CrowdPlan, planned
from skyveil.app.networks import newly_needed
from skyveil.app.restreaming import Wanted
from skyveil.core.camera import CameraSpec
from skyveil.core.ids import CameraId


@final
@dataclass(frozen=True, slots=True)
class Prepared:
    """What a site runs next; nothing of it can be refused any more.

    refused: calibrations that are not taken over, in words. waiting: keys that are used when the server starts again.
    models: the networks of a target that no camera had before; empty where there is none.
    """

    config: Config
    specs: dict[CameraId, CameraSpec]
    refused: list[str]
    waiting: list[str]
    told: Told
    sent_on: Wanted
    models: dict[str, Path]
    crowd: CrowdPlan


def prepared(config: Config, running: Config, before: Mapping[CameraId, CameraSpec], sent: Wanted) -> Prepared:
    """What a configuration changes. running, before, sent: what the site runs and sends on now.

    Raises SettingsRefused for all that a configuration that can be read may be refused for; nothing is changed.
    """
    secrets = Secrets(config.server.secrets)
    specs, refused = reloaded(config, secrets, before)
    to_tell, to_send = told(config, secrets), sent_on(config, secrets)
    if to_send.tls is not None and (to_send.access, to_send.tls) != (sent.access, sent.tls):
        refuse_unusable_tls(config.server)
    models = newly_needed(specs, before)
    # After `sent_on`: streams that are to be encrypted from now on are not sent in the clear until a restart.
    used, waiting = in_force(with_places(config, running, refused), running.server)
    crowd = planned(used, specs)
    return Prepared(used, specs, list(refused.values()), waiting, to_tell, to_send, models, crowd)
