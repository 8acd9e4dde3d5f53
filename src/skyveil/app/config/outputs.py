"""Where health is told and streams are sent on, from the configuration. App."""

from dataclasses import dataclass
from typing import Final, final

from skyveil.app.config.models import Config, MqttOutput, PushOutput, WebhookOutput
from skyveil.app.config.passwords import Secrets
from skyveil.app.restreaming import Wanted
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.public.notify.mqtt import Broker
from skyveil.public.notify.webhook import Receiver
from skyveil.public.restream.push import Target
from skyveil.public.restream.server import Access

_PORT: Final = 1883
_TLS_PORT: Final = 8883


@final
@dataclass(frozen=True, slots=True)
class Addressee:
    """People behind an address of Apprise, and from which step of escalation on they are told."""

    name: str
    address: Secret
    from_step: int


@final
@dataclass(frozen=True, slots=True)
class Told:
    """Where notices go; `discovery` is the topic below which Home Assistant looks for devices."""

    brokers: tuple[Broker, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    discovery: str | None = None
    people: tuple[Addressee, ...] = ()


def told(config: Config, secrets: Secrets) -> Told:
    """Brokers and receivers; raises SettingsRefused for a password that is not there, or an address of another kind."""
    mqtt = config.outputs.mqtt
    return Told(
        brokers=() if mqtt is None else (_broker(mqtt, secrets),),
        receivers=tuple(_receiver(one, secrets) for one in config.outputs.webhooks),
        discovery=None if mqtt is None else mqtt.home_assistant,
        people=tuple(Addressee(one.name, secrets.get(one.address), one.from_step) for one in config.outputs.messages),
    )


def sent_on(config: Config, secrets: Secrets) -> Wanted:
    """The cameras that are sent on, and to whom; raises SettingsRefused for a password that is not there."""
    server, push = config.outputs.restream, config.outputs.push
    tls = config.server.tls if server is not None and server.tls else None
    return Wanted(
        access=None
        if server is None
        else Access(server.bind, server.port, server.username, secrets.get(server.password)),
        push=None if push is None else _target(push, secrets),
        tls=None if tls is None else (tls.certificate, tls.key),
        reasons=tuple((camera_id(one.id), one.restream_reason or "") for one in config.cameras if one.restream),
    )


def _target(push: PushOutput, secrets: Secrets) -> Target:
    password = None if push.password is None else secrets.get(push.password)
    return Target(SafeUrl(push.address), push.username, password, push.ca_file)


def _broker(mqtt: MqttOutput, secrets: Secrets) -> Broker:
    return Broker(
        host=mqtt.host,
        port=mqtt.port or (_TLS_PORT if mqtt.tls else _PORT),
        tls=mqtt.tls,
        ca_file=mqtt.ca_file,
        username=mqtt.username,
        password=None if mqtt.password is None else secrets.get(mqtt.password),
        prefix=mqtt.prefix,
    )


def _receiver(hook: WebhookOutput, secrets: Secrets) -> Receiver:
    return Receiver(SafeUrl(hook.url), secrets.get(hook.secret), ca_file=hook.ca_file)
