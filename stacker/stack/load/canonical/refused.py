"""Keys of the specification that stacker does not honour, each with its sentence.

Nothing of a stack file is left out silently: what is neither here nor in a table of decoders is
an unknown key.
"""

from __future__ import annotations

_PLAIN = (
    "annotations", "attach", "blkio_config", "cgroup", "cgroup_parent", "cpu_count",
    "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime",
    "credential_spec", "develop", "device_cgroup_rules", "domainname", "external_links", "gpus",
    "isolation", "label_file", "mac_address", "mem_swappiness", "models", "oom_kill_disable",
    "oom_score_adj", "post_start", "pre_start", "pre_stop", "provider", "pull_refresh_after",
    "storage_opt", "use_api_socket",
)  # fmt: skip

SERVICE_REFUSED = {
    **{key: f"{key} is not supported" for key in _PLAIN},
    "build": "build is not supported: build the image elsewhere and name it in image",
    "scale": "scale is not supported: use deploy.replicas",
    "volumes_from": "volumes_from is not supported: name the volumes in both services",
    "cpu_quota": "cpu_quota is not supported: use cpus",
    "cpu_period": "cpu_period is not supported: use cpus",
}

TOP_REFUSED = {
    "models": "models is not supported",
}
