"""Which proxy a request goes through: what registries.toml says, else what the environment says.

The variables are those of everybody else (curl(1), ENVIRONMENT). A loopback address is never
reached through the environment's proxy, whatever NO_PROXY says.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.request import getproxies_environment, proxy_bypass

from yarl import URL

from stacker.base.errors import Invalid
from stacker.drivers.images.registry import trust
from stacker.drivers.images.registry.configuration import DIRECT, Host, proxy_url

Choose = Callable[[URL], URL | None]


def chooser(host: Host) -> Choose:
    """Answers for one registry, and for where it sends us."""
    if host.proxy == DIRECT:
        return lambda _: None
    if isinstance(host.proxy, URL):
        fixed = host.proxy
        return lambda _: fixed
    return _of_environment


def _of_environment(url: URL) -> URL | None:
    host = url.host or ""
    proxies = getproxies_environment()
    text = proxies.get(url.scheme) or proxies.get("all")
    if not text or trust.is_loopback(host):
        return None
    if proxy_bypass(host, proxies) or proxy_bypass(f"{host}:{url.port}", proxies):
        return None
    try:
        return proxy_url(text)
    except ValueError as error:
        raise Invalid(f"{url.scheme}_proxy in the environment is no address") from error
