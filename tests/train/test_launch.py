from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edgectl.config.schema import TrainConfig
from edgectl.errors import DependencyError, EdgectlError, UsageError
from edgectl.train import device
from edgectl.train.distributed import launch
from edgectl.train.distributed.launch import Machines, check_machines
from edgectl.train.distributed.outcome import Outcome, read_outcomes
from edgectl.train.distributed.processes import Processes, is_lost_connection

TWO = {"nodes": 2, "rendezvous": "10.0.0.1:29400"}


@pytest.mark.parametrize(
    ("machines", "message"),
    [
        (Machines(8, nodes=2), "where do the machines meet"),
        (Machines(8, nodes=2, rendezvous="there", node_rank=0), "not an address"),
        (Machines(8, nodes=2, rendezvous="there:70000", node_rank=0), "not an address"),
        (Machines(8, nodes=2, rendezvous="a:b:1", node_rank=0), "not an address"),
        (Machines(8, **TWO), "got none"),
        (Machines(8, **TWO, node_rank=2), "got 2"),
        (Machines(8, rendezvous="10.0.0.1:29400"), "several machines"),
        (Machines(8, node_rank=0), "several machines"),
    ],
)
def test_machines_that_do_not_fit(machines: Machines, message: str) -> None:
    with pytest.raises(UsageError, match=message) as e:
        machines.check()
    assert e.value.fix


@pytest.mark.parametrize("endpoint", ["10.0.0.1:29400", "node-0.local:1", "[fe80::1]:29400"])
def test_machines_that_do(endpoint: str) -> None:
    machines = Machines(8, nodes=8, rendezvous=endpoint, node_rank=7)
    machines.check()
    assert machines.world == 64


@pytest.mark.parametrize(
    ("devices", "train", "found", "error", "message"),
    [
        (2, {"device": "auto"}, ("cpu", 4), DependencyError, "no accelerator"),
        (8, {"device": "cuda"}, ("cuda", 4), DependencyError, "8 'cuda' devices asked for, 4"),
        (2, {"device": "mps"}, ("mps", 1), UsageError, "do not train together"),
        (3, {"device": "cuda"}, ("cuda", 4), UsageError, "joint batch of 16"),
    ],
)
def test_devices_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch,
    devices: int,
    train: dict[str, Any],
    found: tuple[str, int],
    error: type[EdgectlError],
    message: str,
) -> None:
    monkeypatch.setattr(launch, "choose_device", lambda _: found[0])
    monkeypatch.setattr(launch, "count_devices", lambda _: found[1])
    with pytest.raises(error, match=message) as e:
        check_machines(Machines(devices), TrainConfig(**train))
    assert e.value.fix


def test_places_from_the_environment() -> None:
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    places = dict(zip(names, ("9", "16", "1", "8"), strict=True))
    processes = Processes.from_environment(places)
    assert (processes.is_distributed, processes.is_main) == (True, False)
    assert processes.part_of(64) == 4
    assert processes.shard.first(0, 4) == 36
    # what a cluster's scheduler may leave behind is not enough
    assert not Processes.from_environment({"WORLD_SIZE": "16"}).is_distributed


def failure(exitcode: int, later: int = 0) -> SimpleNamespace:
    return SimpleNamespace(exitcode=exitcode, timestamp=1000 + later)


def report(code: str, status: int = 1) -> Outcome:
    return Outcome(error={"message": code, "fix": "mend it", "code": code, "exit": status})


def test_the_cause_is_told_from_its_consequences() -> None:
    two = Machines(2)
    lost, data = report("E-PEER"), report("E-DATA", 5)
    killed = launch._failure({0: failure(1), 1: failure(-9)}, {0: lost}, two)
    assert "process 1 of 2 was ended by SIGKILL" in killed.message
    own = launch._failure({0: failure(1), 1: failure(5)}, {0: lost, 1: data}, two)
    assert (own.code, own.exit_code, own.fix) == ("E-DATA", 5, "mend it")
    crash = {0: report("E-INTERNAL")}
    for ended_by_us in (failure(-15), failure(-9, later=30)):
        crashed = launch._failure({0: failure(1), 1: ended_by_us}, crash, two)
        assert crashed.code == "E-INTERNAL"
    silent = launch._failure({0: failure(1), 1: failure(-11)}, crash, two)
    assert "SIGSEGV" in silent.message
    gone = launch._failure({0: failure(1)}, {0: lost}, two)
    assert "another machine" in gone.message
    ended = launch._failure({1: failure(130)}, {0: lost, 1: report("E-INTERRUPTED", 130)}, two)
    assert ended.exit_code == 130


def test_outcomes_by_rank(tmp_path: Any) -> None:
    for rank in (10, 2):
        Outcome(run=f"r{rank}").write(tmp_path, rank)
    assert [(k, o.run) for k, o in read_outcomes(tmp_path).items()] == [(2, "r2"), (10, "r10")]


def test_lost_connections() -> None:
    gloo = "[gloo/transport/tcp/pair.cc:538] Connection closed by peer [127.0.0.1]:4242"
    assert is_lost_connection(RuntimeError(gloo))
    assert not is_lost_connection(RuntimeError("shape mismatch"))
    assert not is_lost_connection(ValueError(gloo))


def test_an_npu_is_found_without_importing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def find_spec(name: str) -> object | None:
        return object() if name == "torch_npu" else None

    monkeypatch.setattr(device.importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(device, "_has_accelerator", lambda: False)
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    with pytest.raises(DependencyError) as e:
        device.choose_device("npu")
    assert e.value.fix is not None and "set_env.sh" in e.value.fix
    assert device.choose_device("auto") == "cpu"

    monkeypatch.setenv("ASCEND_HOME_PATH", "/usr/local/Ascend/ascend-toolkit/latest")
    assert device.choose_device("npu") == device.choose_device("auto") == "npu"
    for name in ("davinci0", "davinci7", "davinci_manager"):
        (tmp_path / name).touch()
    monkeypatch.setattr(device, "_DEVICE_FILES", tmp_path)
    monkeypatch.delenv("ASCEND_RT_VISIBLE_DEVICES", raising=False)
    assert device.count_devices("npu") == 2
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "3")
    assert device.count_devices("npu") == 1
    # set up, and yet accelerate finds none
    with pytest.raises(DependencyError, match="cannot be used"):
        device.build_accelerator(TrainConfig(device="npu"), tmp_path, tensorboard=False)
