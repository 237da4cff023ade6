"""What is wrong in a stack file is told with its file, line and path, in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacker.base.errors import Denied, Invalid, NotFound, StackerError
from stacker.stack.load.pipeline import LoadedStack, load_stack


def load(directory: Path, text: str, **environment: str) -> LoadedStack:
    (directory / "stack.yaml").write_text(text)
    return load_stack([Path("stack.yaml")], working_dir=directory, environment=environment)


def refusal(directory: Path, text: str, **environment: str) -> StackerError:
    with pytest.raises(StackerError) as caught:
        load(directory, text, **environment)

    assert isinstance(caught.value, Invalid)
    return caught.value


def service(body: str) -> str:
    """A file whose service begins in line 3, with `body` from line 4 on."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"services:\n  web:\n    image: a\n{lines}\n"


SERVICE = [
    # unknown and refused keys
    ("netwroks: [a]", "4", "netwroks", 'unknown key "netwroks" (did you mean "networks"?)'),
    ("network-mode: host", "4", "network-mode", 'did you mean "network_mode"?'),
    ("flavour: sweet", "4", "flavour", 'unknown key "flavour"'),
    ("build: .", "4", "build", "build is not supported: build the image elsewhere"),
    ("scale: 2", "4", "scale", "use deploy.replicas"),
    ("volumes_from: [a]", "4", "volumes_from", "name the volumes in both services"),
    ("userns_mode: keep-id", "4", "userns_mode", 'userns_mode "keep-id" is not supported'),
    ("userns_mode: ns:/x", "4", "userns_mode", "is not supported: it is host, auto or auto:size"),
    ("userns_mode: auto:uidmapping=0:1:2", "4", "userns_mode", "is not supported"),
    ("userns_mode: atuo", "4", "userns_mode", 'userns_mode "atuo" is unknown'),
    ("userns_mode: auto:size=10", "4", "userns_mode", "size 10 is out of bounds: 1024 to"),
    ("userns_mode: auto:size=99999999", "4", "userns_mode", "size 99999999 is out of bounds"),
    ("userns_mode: auto\nprivileged: true", "5", "privileged", 'excludes userns_mode "auto"'),
    ("userns_mode: auto\npid: host", "5", "pid", "pid host excludes userns_mode"),
    ("userns_mode: auto\nipc: host", "5", "ipc", "ipc host excludes userns_mode"),
    ("userns_mode: auto\nnetwork_mode: host", "5", "network_mode", "network_mode host excludes"),
    ("deploy:\n  update_config: {}", "5", "deploy.update_config", "not supported"),
    ("deploy:\n  placement: {}", "5", "deploy.placement", "there is one host"),
    ("healthcheck: {tset: a}", "4", "healthcheck.tset", 'did you mean "test"?'),
    # shapes
    ("image: [a]", "4", None, 'key "image" is there twice, first in line 3'),
    ("tty: maybe", "4", "tty", 'expected true or false, found "maybe"'),
    ("tty: [true]", "4", "tty", "expected a single value, not a list or a map"),
    ("ports: 80", "4", "ports", "expected a list"),
    ("environment: 5", "4", "environment", "expected a map"),
    ("environment: {A: [1]}", "4", "environment.A", "expected a single value"),
    ("environment:\n  - A=1\n  - =2", "6", "environment[1]", '"" is not the name of a variable'),
    ("cap_add: [null]", "4", "cap_add[0]", "expected a value, found nothing"),
    # numbers
    ("pids_limit: 1.5", "4", "pids_limit", 'expected a whole number, found "1.5"'),
    (f"pids_limit: {'9' * 5000}", "4", "pids_limit", "expected a whole number"),
    ("pids_limit: -2", "4", "pids_limit", "-2 is out of bounds"),
    ("cpus: .nan", "4", "cpus", 'expected a number, found ".nan"'),
    ("cpus: -1", "4", "cpus", "out of bounds"),
    ("cpus: 1e400", "4", "cpus", "expected a number"),
    ("mem_limit: 12 parsecs", "4", "mem_limit", 'expected a size such as 64m or 1gb, found "12 pa'),
    ("mem_limit: 99999999999g", "4", "mem_limit", "larger than any memory"),
    ("stop_grace_period: 30", "4", "stop_grace_period", 'with its unit, "30s"'),
    ("stop_grace_period: -5s", "4", "stop_grace_period", "expected a duration"),
    ("stop_grace_period: 9999999h", "4", "stop_grace_period", "longer than 30 years"),
    ("healthcheck: {test: a, interval: 1us}", "4", "healthcheck.interval", "at least 1ms"),
    # words
    ("restart: sometimes", "4", "restart", '"sometimes" is none of no, always'),
    ("restart: on-fialure", "4", "restart", 'did you mean "on-failure"?'),
    ("pull_policy: build", "4", "pull_policy", "none of always, missing, never, daily"),
    ("stop_signal: SIGNOPE", "4", "stop_signal", '"SIGNOPE" is not a signal'),
    ("cap_add: [NET_ADMN]", "4", "cap_add[0]", 'did you mean "NET_ADMIN"?'),
    ("hostname: a b", "4", "hostname", "is not a host name"),
    ("container_name: -x", "4", "container_name", '"-x" is not a name'),
    ("working_dir: relative", "4", "working_dir", "is not an absolute path in the container"),
    ("platform: Linux", "4", "platform", "is not a platform such as linux/amd64"),
    ("cpuset: all", "4", "cpuset", "is not a list of CPUs"),
    ("command: sh -c 'open", "4", "command", "the command line cannot be split"),
    ("ulimits: {files: 1}", "4", "ulimits.files", "is not a resource of setrlimit(2)"),
    ("ulimits: {nofile: {soft: 2, hard: 1}}", "4", "ulimits.nofile", "soft is above hard"),
    ("ulimits: {nofile: {soft: 2}}", "4", "ulimits.nofile", "hard missing"),
    ("security_opt: [no-new-privs]", "4", "security_opt[0]", "unknown option"),
    ("security_opt: ['seccomp:./x.json']", "4", "security_opt[0]", "not supported"),
    ("devices: ['vendor.com/gpu=0']", "4", "devices[0]", "Container Device Interface"),
    ("devices: ['/dev/a:/dev/b:x']", "4", "devices[0]", "permissions are of r, w and m"),
    ("dns: [one.one]", "4", "dns[0]", '"one.one" is not an address'),
    ("extra_hosts: [a]", "4", "extra_hosts[0]", "expected NAME=ADDRESS"),
    ("sysctls: [a.b]", "4", "sysctls", '"a.b" needs a value'),
    ("logging: {driver: syslog}", "4", "logging.driver", "none of local, none"),
    ("logging: {options: {max_size: 1m}}", "4", "logging.options.max_size", '"max-size"'),
    ("healthcheck: {test: [curl]}", "4", "healthcheck.test", "begins with CMD"),
    ("healthcheck: {test: [CMD]}", "4", "healthcheck.test", "CMD without a command"),
    ("deploy: {mode: replicated-job}", "4", "deploy.mode", "none of replicated, global"),
    ("deploy: {replicas: 1001}", "4", "deploy.replicas", "from 0 to 1000"),
    # ports
    ("ports:\n  - 80\n  - 99999:1", "6", "ports[1]", "is no port from 1 to 65535"),
    ("ports: ['a:b']", "4", "ports[0]", "expected a port or a range of ports"),
    ("ports: ['80/sctp']", "4", "ports[0]", 'protocol "sctp" is neither tcp nor udp'),
    ("ports: ['1-2:1-3']", "4", "ports[0]", "2 host ports for 3 container ports"),
    ("ports: ['1-2:1']", "4", "ports[0]", "a range of host ports for one container port"),
    ("ports: ['host:80:80']", "4", "ports[0]", '"host" is not an address'),
    ("ports: [{published: 80}]", "4", "ports[0]", "target missing"),
    # mounts
    ("volumes: ['a:b:c:d']", "4", "volumes[0]", "expected [SOURCE:]TARGET[:OPTIONS]"),
    ("volumes: ['./a:b']", "4", "volumes[0]", '"b" is not an absolute path'),
    ("volumes: ['./a:/']", "4", "volumes[0]", "the root of the container"),
    ("volumes: ['./a:/b:rx']", "4", "volumes[0]", 'unknown option "rx" of a bind mount'),
    ("volumes: ['a/b:/b']", "4", "volumes[0]", 'a path begins with "./" or "/"'),
    ("volumes: ['~x/b:/b']", "4", "volumes[0]", "stands for no directory"),
    ("volumes: ['./a:/x', './b:/x/']", "4", "volumes", 'two mounts at "/x"'),
    ("volumes: ['vol:/x']", "4", "volumes[0]", 'volume "vol" is not declared'),
    ("volumes: [{type: image, target: /x}]", "4", "volumes[0].type", "none of bind, volume"),
    ("volumes: [{type: bind, target: /x}]", "4", "volumes[0]", "source missing"),
    (
        "volumes: [{type: volume, target: /x, volume: {subpath: ../y}}]",
        "4", "volumes[0]", "leads out of the volume",
    ),
    ("tmpfs: /x:size=lots", "4", "tmpfs", "expected a size"),
    ("tmpfs: ['/x:nope']", "4", "tmpfs[0]", 'unknown option "nope" of a tmpfs'),
    ("configs: [{target: /x}]", "4", "configs[0]", "source missing"),
    ("configs: [{source: c, mode: 999}]", "4", "configs[0].mode", "a file mode in octal"),
    # references
    ("networks: [fornt]", "4", "networks.fornt", 'network "fornt" is not declared'),
    ("secrets: [s]", "4", "secrets[0]", 'secret "s" is not declared'),
    ("depends_on: [wbe]", "4", "depends_on.wbe", 'service "wbe" is not declared'),
    ("links: ['x:y']", "4", "links[0]", 'service "x" is not declared'),
    ("network_mode: service:x", "4", "network_mode", 'service "x" is not declared'),
    ("network_mode: container:x", "4", "network_mode", "use service:NAME"),
    ("network_mode: bridged", "4", "network_mode", 'did you mean "bridge"?'),
    ("depends_on: [web]", "4", "depends_on.web", "dependency cycle: web → web"),
    ("env_file: gone.env", "4", "env_file", "no such file or directory"),
    ("env_file: /", "4", "env_file", "not a regular file"),
    # limits
    ("mem_limit: 1m\nmem_reservation: 2m", "5", "mem_reservation", "above mem_limit"),
    ("memswap_limit: 1m", "4", "memswap_limit", "needs mem_limit"),
    (
        "mem_limit: 1m\ndeploy: {resources: {limits: {memory: 2m}}}",
        "5", "deploy", 'resources.limits.memory and "mem_limit" of the service differ',
    ),
    # interpolation
    ("user: ${}", "4", "user", "not followed by the name of a variable"),
    ("user: $1", "4", "user", 'a "$" that is not part of a variable is written "$$"'),
    ("user: ${A", "4", "user", "is followed by neither"),
    ("user: ${A:-b", "4", "user", '"${" without "}"'),
    ("user: ${A:?set me}", "4", "user", "required variable A is missing a value: set me"),
    ("user: " + "${A:-" * 20 + "x" + "}" * 20, "4", "user", "nested deeper"),
]  # fmt: skip


def short(value: object) -> str:
    return str(value)[:40]


@pytest.mark.parametrize(("body", "line", "path", "message"), SERVICE, ids=short)
def test_service(tmp_path: Path, body: str, line: str, path: str | None, message: str) -> None:
    error = refusal(tmp_path, service(body))
    where = f"stack.yaml:{line}" + (f": services.web.{path}" if path else "")
    assert error.where == where
    assert message in error.message
    assert "\n" not in error.message.partition("\nvariable A")[0]
    assert not error.message.endswith(".")


WHOLE = [
    ("", "stack.yaml", "the file is empty"),
    ("# only a comment\n", "stack.yaml", "the file is empty"),
    ("just text", "stack.yaml:1", "a stack file is a map of keys"),
    ("[a]", "stack.yaml:1", "a stack file is a map of keys"),
    ("a: b: c", "stack.yaml:1", "not YAML"),
    ("services:\n\tweb:", "stack.yaml:2", "not YAML"),
    ("services: {a: {image: a}", "stack.yaml:2", "not YAML"),
    ("services:\n  a: {image: \x01}", "stack.yaml:2", "not allowed"),
    ('services: {a: {image: "\\0"}}', "stack.yaml:1", "NUL"),
    ("services:\n  a: !!python/object:os.system {}", "stack.yaml:2", "is not allowed"),
    ("a: &a [*a]", "stack.yaml:1", "contains itself"),
    ("a: *b", "stack.yaml:1", "alias"),
    ("a: 1\nb: 2\na: 3", "stack.yaml:3", 'key "a" is there twice, first in line 1'),
    ("? [a]\n: b", "stack.yaml:1", "a key is a word"),
    ("x-a: {<<: b}", "stack.yaml:1", "<< takes a map"),
    ("x-a: " + "[" * 65 + "]" * 65, "stack.yaml:1", "nested deeper than 64 levels"),
    ("version: '3'", "stack.yaml:1: services", "no service takes part"),
    ("service: {}", "stack.yaml:1: service", 'did you mean "services"?'),
    ("services: {a: {}}", "stack.yaml:1: services.a", "image missing"),
    ("services: {a: {image: }}", "stack.yaml:1: services.a", "image missing"),
    ("services: {a: {image: b/C}}", "stack.yaml:1: services.a.image", "names are lower case"),
    ("services: {a: {image: 'b@sha256:1'}}", "stack.yaml:1: services.a.image", "sha256:1"),
    ("services: {a: }", "stack.yaml:1: services.a", "expected a map of keys"),
    ("services: {'a b': {image: a}}", "stack.yaml:1: services.a b", "is not a name"),
    ("services: {a: {image: a, profiles: [p]}}", "stack.yaml:1: services", "no service takes part"),
    ("name: A\nservices: {a: {image: a}}", "stack.yaml:1: name", "not lower case letters"),
    ("models: {}\nservices: {a: {image: a}}", "stack.yaml:1: models", "not supported"),
    ("networks:\n  n: {driver: overlay}", "stack.yaml:2: networks.n.driver", "none of bridge"),
    ("networks:\n  n: {enable_ipv6: true}", "stack.yaml:2: networks.n.enable_ipv6", "IPv4 only"),
    ("networks:\n  n: {external: true, internal: true}", "stack.yaml:2: networks.n", "internal"),
    (
        "networks:\n  n: {ipam: {config: [{subnet: 10.0.0.1/24}]}}",
        "stack.yaml:2: networks.n.ipam.config[0].subnet", "is not an IPv4 subnet",
    ),
    ("volumes:\n  v: {driver: nfs}", "stack.yaml:2: volumes.v.driver", "none of local"),
    ("configs:\n  c: {}", "stack.yaml:2: configs.c", "exactly one of file, content, environment"),
    ("configs:\n  c: {external: true}", "stack.yaml:2: configs.c.external", "no store"),
    ("secrets:\n  s: {content: x}", "stack.yaml:2: secrets.s.content", "unknown key"),
    ("secrets:\n  s: {environment: a b}", "stack.yaml:2: secrets.s.environment", "not the name"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "message"), WHOLE, ids=short)
def test_whole_file(tmp_path: Path, text: str, where: str, message: str) -> None:
    error = refusal(tmp_path, text)
    assert error.where == where
    assert message in error.message


RELATIONS = [
    (
        ("services:\n  a: {image: a, depends_on: [b]}\n  b: {image: a, depends_on: [c]}\n"
        "  c: {image: a, depends_on: [a]}"),
        "stack.yaml:2: services.a.depends_on.b", "dependency cycle: a → b → c → a",
    ),
    (
        "services:\n  a: {image: a, links: [b]}\n  b: {image: a, network_mode: service:a}",
        "stack.yaml:2: services.a.depends_on.b", "dependency cycle: a → b → a",
    ),
    (
        "services:\n  a: {image: a, ports: ['80:1']}\n  b: {image: a, ports: ['127.0.0.1:80:2']}",
        "stack.yaml:3: services.b.ports", 'port 80/tcp of the host is published by "a" already',
    ),
    (
        "services:\n  a: {image: a, ports: ['80:1'], deploy: {replicas: 2}}",
        "stack.yaml:2: services.a.ports", "for several replicas",
    ),
    (
        "services:\n  a: {image: a, container_name: x}\n  b: {image: a, container_name: x}",
        "stack.yaml:3: services.b.container_name", '"x" is the name of "a" too',
    ),
    (
        "services:\n  a: {image: a, platform: linux/386}\n  b: {image: a, platform: linux/amd64}",
        "stack.yaml:3: services.b.platform", 'a is for linux/386 in "a": name one by its',
    ),
    (
        "services:\n  a: {image: a, network_mode: host, networks: [n]}\nnetworks: {n: }",
        "stack.yaml:2: services.a.networks", "exclude each other",
    ),
    (
        "services:\n  a: {image: a, network_mode: bridge, networks: [n]}\nnetworks: {n: }",
        "stack.yaml:2: services.a.networks", "networks and network_mode bridge exclude each other",
    ),
    (
        "services:\n  a: {image: a, ipc: private}\n  b: {image: a, ipc: 'service:a'}",
        "stack.yaml:3: services.b.ipc", 'service "a" has ipc private, not shareable',
    ),
    (
        "services:\n  a: {image: a}\n  b: {image: a, network_mode: 'service:a', userns_mode: auto}",
        "stack.yaml:3: services.b.network_mode", "userns_mode is auto, and host where it is shared",
    ),
    (
        "services:\n  a: &a {image: a, userns_mode: auto}\n  b: {<<: *a, pid: 'service:a'}",
        "stack.yaml:3: services.b.pid", "it needs network_mode service:a as well",
    ),
    (
        "services:\n  a: {image: a}\n  b: {image: a, network_mode: 'service:a', ports: [80]}",
        "stack.yaml:3: services.b.ports", "belongs to the service whose network is shared",
    ),
    (
        ("services:\n  a: {image: a, healthcheck: {disable: true}}\n"
        "  b: {image: a, depends_on: {a: {condition: service_healthy}}}"),
        "stack.yaml:3: services.b.depends_on.a", "has its health check disabled",
    ),
    (
        ("services: {a: {image: a, networks: [m, n]}}\nnetworks:\n"
        "  m: {ipam: {config: [{subnet: 10.1.0.0/16}]}}\n"
        "  n: {ipam: {config: [{subnet: 10.1.2.0/24}]}}"),
        "stack.yaml:4: networks.n.ipam.config[0]", 'overlaps 10.1.0.0/16 of network "m"',
    ),
    (
        ("services: {a: {image: a, networks: {n: {ipv4_address: 10.2.0.9}}}}\n"
        "networks: {n: {ipam: {config: [{subnet: 10.1.0.0/16}]}}}"),
        "stack.yaml:1: services.a.networks.n.ipv4_address", "10.2.0.9 is not in 10.1.0.0/16",
    ),
    (
        "services: {a: {image: a, networks: {n: {ipv4_address: 10.2.0.9}}}}\nnetworks: {n: }",
        "stack.yaml:1: services.a.networks.n.ipv4_address", "a fixed address needs a network",
    ),
    (
        ("services: {a: {image: a, volumes: ['v:/v', 'w:/w']}}\n"
        "volumes:\n  v: {name: same}\n  w: {name: same}"),
        "stack.yaml:4: volumes.w.name", '"same" is "v" too',
    ),
    (
        "services:\n  a: {image: a, extends: b}\n  b: {image: a, extends: a}",
        "stack.yaml:2: services.a.extends", "extend each other in a circle",
    ),
    (
        "services:\n  a: {image: a, extends: bb}\n  b: {image: a}",
        "stack.yaml:2: services.a.extends", 'service "bb" is not there to extend',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "message"), RELATIONS, ids=short)
def test_relations(tmp_path: Path, text: str, where: str, message: str) -> None:
    error = refusal(tmp_path, text)
    assert error.where == where
    assert message in error.message


def test_several_problems_are_told_together(tmp_path: Path) -> None:
    text = "services:\n  a: {image: a, tty: maybe, ports: [x, 80, y]}\n  b: {imaeg: b}\n"
    assert str(refusal(tmp_path, text)).splitlines() == [
        'stack.yaml:2: services.a.tty: expected true or false, found "maybe"',
        'stack.yaml:2: services.a.ports[0]: expected a port or a range of ports, found "x"',
        'stack.yaml:2: services.a.ports[2]: expected a port or a range of ports, found "y"',
        'stack.yaml:3: services.b.imaeg: unknown key "imaeg" (did you mean "image"?)',
        "stack.yaml:3: services.b: image missing",
    ]


def test_no_more_than_ten_problems_are_told(tmp_path: Path) -> None:
    text = "services:\n" + "".join(f"  s{i}: {{}}\n" for i in range(25))
    lines = str(refusal(tmp_path, text)).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 15 more"


def test_values_of_variables_stay_out_of_messages(tmp_path: Path) -> None:
    error = refusal(tmp_path, service('user: "${A:?} $"'), A="")
    assert "required variable A" in error.message
    error = refusal(tmp_path, service('command: pay $1 "${SECRET}"'), SECRET="hunter2")
    assert "hunter2" not in str(error)


def test_variables_that_are_not_set_are_named_with_what_they_break(tmp_path: Path) -> None:
    error = refusal(tmp_path, "services:\n  a: {image: $IMAGE}\n")
    assert str(error).splitlines() == [
        'stack.yaml:2: services.a.image: expected a word, found ""',
        "variable IMAGE is not set: an empty value takes its place",
    ]


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"stack file .*/gone\.yaml: no such file"):
        load_stack([Path("gone.yaml")], working_dir=tmp_path, environment={})
    with pytest.raises(NotFound, match=r"no stack file in .* looked for stack\.yaml"):
        load_stack(working_dir=Path("/proc/self/task"), environment={})


def test_a_bad_path_is_denied_or_invalid(tmp_path: Path) -> None:
    with pytest.raises((Denied, Invalid, NotFound)):
        load_stack([Path("x" * 5000)], working_dir=tmp_path, environment={})
    with pytest.raises(Invalid):
        load_stack([tmp_path], working_dir=tmp_path, environment={})


def test_includes_end(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("include: [stack.yaml]\n")
    error = refusal(tmp_path, "include:\n  - other.yaml\nservices: {a: {image: a}}")
    assert error.where == "other.yaml:1: include[0]"
    assert "is included by what it includes" in error.message


def test_includes_do_not_multiply(tmp_path: Path) -> None:
    for number in range(20):
        following = f"f{number + 1}.yaml"
        (tmp_path / f"f{number}.yaml").write_text(
            f"include: [{following}, {following}]\nservices: {{s{number}: {{image: a}}}}"
        )
    (tmp_path / "f20.yaml").write_text("services: {end: {image: a}}")
    error = refusal(tmp_path, "include: [f0.yaml]\nservices: {a: {image: a}}")
    assert error.message == "more than 200 files are included"


def test_an_included_file_is_not_read_with_one_eye(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: other\nx-a: b\nservces: {a: {image: b}}\n")
    error = refusal(tmp_path, "include: [other.yaml]\nservices: {a: {image: a}}")
    assert str(error) == ('other.yaml:3: servces: unknown key "servces" (did you mean "services"?)')


def test_an_included_service_is_not_declared_again(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("services: {a: {image: b}}\n")
    error = refusal(tmp_path, "include: [other.yaml]\nservices:\n  a: {image: a}")
    assert error.where == "stack.yaml:3: services.a"
    assert error.message == '"a" is included from other.yaml:1 already'
