"""The whole of what is declared: what one or more stack files say, after loading."""

from __future__ import annotations

from collections.abc import Mapping

from stacker.stack.model.files import Config, Secret
from stacker.stack.model.network import Network
from stacker.stack.model.service import Service
from stacker.stack.model.values import Model
from stacker.stack.model.volume import Volume


class Stack(Model):
    """Every reference between its parts holds: `load/check.py` has seen to it."""

    name: str
    services: Mapping[str, Service] = {}
    networks: Mapping[str, Network] = {}
    volumes: Mapping[str, Volume] = {}
    configs: Mapping[str, Config] = {}
    secrets: Mapping[str, Secret] = {}
