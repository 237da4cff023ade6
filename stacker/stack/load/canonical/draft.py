"""What canonical hands to the stages behind it: models, and what they still lack.

An environment is complete only after files were read and variables looked up, which is the work
of `environment.py`; which services take part is decided by their profiles in `defaults.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stacker.stack.load.tree import MapNode
from stacker.stack.model import Config, Network, Secret, Service, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFile:
    path: str
    where: str
    required: bool = True
    format: Literal["dotenv", "raw"] = "dotenv"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDraft:
    service: Service
    env_files: tuple[EnvFile, ...] = ()
    inherited: tuple[str, ...] = ()
    """Variables named without a value."""
    bridge_mode: bool = False
    """`network_mode: bridge`, which Docker has a network for: here it is the default network."""
    container_modes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Key (`network_mode`, `pid`, `ipc`) → name of the container whose namespace is shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    root: MapNode
    """The merged tree: where each path was written."""
    services: Mapping[str, ServiceDraft] = field(default_factory=dict[str, ServiceDraft])
    networks: Mapping[str, Network] = field(default_factory=dict[str, Network])
    volumes: Mapping[str, Volume] = field(default_factory=dict[str, Volume])
    configs: Mapping[str, Config] = field(default_factory=dict[str, Config])
    secrets: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    unnamed: frozenset[tuple[str, str]] = frozenset()
    """(`networks`, key) of what has no `name` of its own."""
