"""The parts of the stub that no sandbox of this machine needs."""

import ast
import os
import runpy
import subprocess
import sys

import pytest

from mlxlock.capture.supervise import STUB
from tests.capture.conftest import linux

ALONE = ("stub.py", "kernel.py", "darwin.py", "escape.py")


@linux
def test_children_are_found_also_where_the_kernel_keeps_no_list_of_them() -> None:
    stub = runpy.run_path(str(STUB))
    listed, searched = stub["_children"], stub["_children_of_any"]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in searched()
        assert set(searched()) == set(listed())
        assert os.getpid() not in searched()
    assert child.pid not in searched()


@pytest.mark.parametrize("name", ALONE)
def test_what_runs_in_a_projects_interpreter_is_python_3_9(name: str) -> None:
    tree = ast.parse(STUB.with_name(name).read_text(encoding="utf-8"), feature_version=(3, 9))
    annotations = [node.annotation for node in ast.walk(tree) if isinstance(node, ast.arg | ast.AnnAssign)]
    annotations += [node.returns for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    unions = [part for each in annotations if each for part in ast.walk(each) if isinstance(part, ast.BinOp)]
    assert unions == []
