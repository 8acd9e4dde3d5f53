"""What Home Assistant must read to show cameras' health by itself. Public side.

Topics and keys are those of its MQTT discovery (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery);
openHAB and ioBroker read the same.
"""

import json
from typing import Final

from skyveil.core.health import CameraState
from skyveil.core.ids import CameraId
from skyveil.public.notify.mqtt import OFFLINE, ONLINE, Broker

_ENTITIES: Final[tuple[tuple[str, str, dict[str, object]], ...]] = (
    (
        "binary_sensor",
        "live",
        {
            "name": "Live",
            "device_class": "connectivity",
            "value_template": "{{ 'ON' if value_json.state == 'live' else 'OFF' }}",
        },
    ),
    (
        "sensor",
        "state",
        {
            "name": "State",
            "device_class": "enum",
            "options": [one.value for one in CameraState],
            "value_template": "{{ value_json.state }}",
        },
    ),
    ("sensor", "cause", {"name": "Cause", "value_template": "{{ value_json.message }}"}),
    (
        "sensor",
        "fps",
        {
            "name": "Pictures per second",
            "state_class": "measurement",
            "unit_of_measurement": "fps",
            "suggested_display_precision": 1,
            "value_template": "{{ value_json.fps }}",
        },
    ),
)


def discovery(broker: Broker, camera: CameraId, name: str, *, version: str, root: str) -> dict[str, str]:
    """The retained texts of one camera by topic, below `root`, which Home Assistant calls the discovery prefix."""
    node = f"{broker.prefix.replace('/', '_')}_{camera}"
    return {
        f"{root}/{component}/{node}/{entity}/config": json.dumps(
            {
                **fixed,
                "unique_id": f"{node}_{entity}",
                "state_topic": broker.topic("health", camera),
                "availability_topic": broker.status_topic,
                "payload_available": ONLINE,
                "payload_not_available": OFFLINE,
                "entity_category": "diagnostic",
                "device": {"identifiers": [node], "name": name, "manufacturer": "Skyveil", "model": "Camera"},
                "origin": {"name": "Skyveil", "sw_version": version},
            }
        )
        for component, entity, fixed in _ENTITIES
    }
