"""Who vouches for people, from the configuration. App."""

from skyveil.app.config import Config, Secrets
from skyveil.core.errors import SettingsRefused
from skyveil.public.store.roles import Role
from skyveil.public.web.vouching import Voucher


def voucher_of(config: Config) -> Voucher | None:
    """The identity provider of a configuration; SettingsRefused without its extra, or a secret that is not there."""
    oidc = config.server.oidc
    if oidc is None:
        return None
    try:
        from skyveil.public.web.oidc import Oidc, Provider, RoleFor
    except ImportError as error:
        raise SettingsRefused(
            "logging in by OpenID Connect needs the extra `oidc`: pip install skyveil[oidc]"
        ) from error
    secret = Secrets(config.server.secrets).get(oidc.client_secret)
    roles = tuple(RoleFor(one.value, Role(one.role), one.cameras) for one in oidc.roles)
    redirect = f"{oidc.address.rstrip('/')}/oidc/answer"
    return Oidc(Provider(oidc.issuer, oidc.client_id, secret, oidc.claim, roles, redirect))
