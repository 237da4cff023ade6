"""The message classes of pyroute2 that are used, and none of the rest of it.

``pyroute2/__init__.py`` imports forty protocols, a database and a process pool: 13.5 MB and 80 ms
where the messages below need 5 MB and 30 ms. So an empty package takes its place before the
submodules are imported, unless somebody has imported the whole of it already. pyroute2 has no
types: this is the one file where ``Any`` comes in.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any


def _stand_in() -> None:
    if "pyroute2" in sys.modules:
        return

    spec = find_spec("pyroute2")
    if spec is None:
        raise ImportError("pyroute2 is not installed", name="pyroute2")

    # made but not executed: submodules are found through its path
    sys.modules["pyroute2"] = module_from_spec(spec)


_stand_in()

_nft = import_module("pyroute2.netlink.nfnetlink.nftsocket")

LinkMessage: Any = import_module("pyroute2.netlink.rtnl.ifinfmsg").ifinfmsg
AddressMessage: Any = import_module("pyroute2.netlink.rtnl.ifaddrmsg").ifaddrmsg
RouteMessage: Any = import_module("pyroute2.netlink.rtnl.rtmsg").rtmsg
NftTable: Any = _nft.nft_table_msg
NftChain: Any = _nft.nft_chain_msg
NftSet: Any = _nft.nft_set_msg
NftElements: Any = _nft.nft_set_elem_list_msg
NftRule: Any = _nft.nft_rule_msg
