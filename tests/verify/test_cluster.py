"""Dask for real: a scheduler, two worker processes, and what happens without them."""

import json
import socket
import sqlite3
import sys

import pytest

from studies import LAG, pair_study
from verify import cluster as module
from verify import sweep
from verify.cli import main
from verify.cluster import NoCluster, cluster
from verify.study import load

distributed = pytest.importorskip("distributed")
PAIR = pair_study({LAG: ["8", "9", "10", "60"]}, digits=6)
HERE = {"processes": True, "threads_per_worker": 1, "scheduler_port": 0, "dashboard_address": ":0"}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dask")
    with distributed.LocalCluster(n_workers=2, local_directory=folder, **HERE) as local:
        local.wait_for_workers(2)
        yield local.scheduler_address


def numbers(document):
    cells = json.loads(json.dumps(document))["cells"]
    for each in cells:
        for name in ("seconds", "setup_seconds"):
            del each[name]
    return cells


def test_workers_of_dask_give_the_same_rows(address, tmp_path, capsys):
    path, store = tmp_path / "mine.toml", tmp_path / "cells.sqlite"
    path.write_text(PAIR, "utf-8")
    assert main(["escape", str(path), "--json", "--dask", address, "--store", str(store)]) == 0
    there = json.loads(capsys.readouterr().out)
    assert numbers(there) == numbers(sweep.run(load(str(path))).as_dict())
    with sqlite3.connect(store) as file:
        assert file.execute("SELECT count(*), sum(final), sum(attempts) FROM cells").fetchall() == [(4, 4, 4)]
    file.close()


def test_two_workers_share_the_cells(address):
    with cluster(address) as executor:
        assert len(set(executor.map(_process, range(40)))) == 2


def _process(number):
    import os
    import time

    time.sleep(0.02)
    return os.getpid()


def test_workers_with_other_sources_are_refused(address, monkeypatch):
    monkeypatch.setattr(module, "basis", lambda: {"sources": "0" * 64})
    message = r"a worker of .* has sources [0-9a-f]{64} there, 0{64} here, .* install the same"
    with pytest.raises(NoCluster, match=message), cluster(address):
        pytest.fail("it was accepted")


def test_a_scheduler_without_workers_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CONNECT", 1.0)
    message = "has no workers; start some with `dask worker tcp://.* --nthreads 1`"
    with (
        distributed.LocalCluster(n_workers=0, local_directory=tmp_path, **HERE) as local,
        pytest.raises(NoCluster, match=message),
        cluster(local.scheduler_address),
    ):
        pytest.fail("it was accepted")


def test_a_dead_address_is_told(capsys, monkeypatch):
    monkeypatch.setattr(module, "CONNECT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
    assert main(["escape", "pair", "--dask", address]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"memcurse: --dask: no Dask scheduler answers at '{address}': ")
    assert err.endswith("such as tcp://127.0.0.1:8786\n") and err.count("\n") == 1


@pytest.mark.slow
def test_what_listens_and_is_no_scheduler_is_told():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NoCluster, match="whatever listens there is no scheduler"),
        cluster(f"tcp://127.0.0.1:{silent.getsockname()[1]}"),
    ):
        pytest.fail("it was accepted")


def test_without_dask_the_way_to_it_is_told(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["escape", "pair", "--dask", "tcp://127.0.0.1:1"]) == 2
    way_out = "needs Dask, which is not installed; run pip install 'memcurse[dask]'"
    assert capsys.readouterr().err == f"memcurse: --dask: {way_out}\n"
