"""linux.intelRdt: what is done to a resctrl tree, planned and carried out in a plain directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cgroups.resctrl import RdtPlan, apply, change, find_resctrl, join, plan, remove
from runtime.errors import NotSupported, SpecInvalid
from runtime.spec.intel_rdt import IntelRdt

FEATURES = "llc_occupancy\nmbm_total_bytes\n"
EXISTING = "    MB:0=100;1=100\n    L3:0=00f;1=7f0\n"


def test_a_group_of_its_own() -> None:
    asked = IntelRdt(schemata=("L3:0=f",))
    assert plan(asked, "one", None, "") == RdtPlan(group="one", make=True, schemata=("L3:0=f",))


def test_a_named_group_is_made_with_its_schemata() -> None:
    asked = IntelRdt(clos_id="gold", schemata=("MB:0=20",), enable_monitoring=True)
    assert plan(asked, "one", None, FEATURES) == RdtPlan(
        group="gold", make=True, schemata=("MB:0=20",), monitor="one"
    )


def test_a_group_that_exists_is_joined_as_it_is() -> None:
    joined = RdtPlan(group="gold", make=False, schemata=())
    assert plan(IntelRdt(clos_id="gold"), "one", EXISTING, "") == joined
    same = IntelRdt(clos_id="gold", schemata=("L3:0=f;1=7F0", "MB:1=100"))
    assert plan(same, "one", EXISTING, "") == joined
    assert plan(IntelRdt(clos_id="/"), "one", EXISTING, "").group == ""


def test_what_is_refused() -> None:
    with pytest.raises(SpecInvalid, match="closID: gold does not exist"):
        plan(IntelRdt(clos_id="gold"), "one", None, "")
    with pytest.raises(SpecInvalid, match="closID: gold exists with another schema for L3, dom"):
        plan(IntelRdt(clos_id="gold", schemata=("L3:1=f",)), "one", EXISTING, "")
    with pytest.raises(NotSupported, match="enableCMT"):
        plan(IntelRdt(enable_cmt=True), "one", None, "mbm_total_bytes")
    with pytest.raises(NotSupported, match="enableMBM"):
        plan(IntelRdt(enable_mbm=True), "one", None, "llc_occupancy")
    with pytest.raises(SpecInvalid, match=r"intelRdt: the container's id: 'info' is not the name"):
        plan(IntelRdt(), "info", None, "")


def test_the_mount_point_is_found() -> None:
    line = "90 20 0:40 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw"
    assert find_resctrl(f"1 0 0:1 / / rw - ext4 /dev/vda rw\n{line}\n") == "/sys/fs/resctrl"
    with pytest.raises(NotSupported, match=r"linux\.intelRdt: no resctrl file system is mounted"):
        find_resctrl("1 0 0:1 / / rw - ext4 /dev/vda rw\n")


def test_carried_out_and_taken_back(tmp_path: Path) -> None:
    """The kernel makes the files of a group itself; here they are made beforehand."""
    group = tmp_path / "gold"
    (group / "mon_groups").mkdir(parents=True)
    (group / "schemata").touch()
    (group / "tasks").touch()
    planned = RdtPlan(group="gold", make=False, schemata=("L3:0=f", "MB:0=20"), monitor="one")
    applied = apply(str(tmp_path), planned)
    assert (group / "schemata").read_text() == "L3:0=f\nMB:0=20\n"
    monitor = group / "mon_groups/one"
    assert monitor.is_dir()
    (monitor / "tasks").touch()
    join(applied, 42)
    assert (group / "tasks").read_text() == (monitor / "tasks").read_text() == "42"
    (monitor / "tasks").unlink()
    remove(applied)
    assert not monitor.exists()
    assert group.is_dir()


def test_a_group_that_cannot_be_filled_is_taken_back(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"linux\.intelRdt\.schemata"):
        apply(str(tmp_path), RdtPlan(group="one", make=True, schemata=("L3:0=f",)))
    assert list(tmp_path.iterdir()) == []


def test_other_schemata_later(tmp_path: Path) -> None:
    applied = {"group": str(tmp_path), "monitor": "", "made": []}
    (tmp_path / "schemata").write_text("")
    change(applied, ("L3:0=f", "MB:0=20"))
    assert (tmp_path / "schemata").read_text() == "L3:0=f\nMB:0=20\n"
    with pytest.raises(NotSupported, match=r"linux\.intelRdt: the container was made without one"):
        change({}, ("L3:0=f",))
