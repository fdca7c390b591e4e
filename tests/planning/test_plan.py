"""Plans: everything needed and nothing else, no stranger touched, nothing left once they are carried out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.planning.layout import FileNode, LinkNode, Tree, lay_out
from mlxlock.planning.plan import (
    Found,
    FoundFile,
    FoundLink,
    FoundOther,
    Inventory,
    Plan,
    content_of,
    make_plan,
)
from mlxlock.planning.verdict import cure_of, judge
from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath
from tests.planning.locks import artifact, model, seen

EMPTY = Inventory(found={}, owned={})
EDITED = FoundFile(identity=Blake3("0" * 64), size_bytes=3)
CONFIG = RepoPath("chat/config.json")
AWAY = "move what is not in the lock out of the model's directory"


def found_of(tree: Tree, path: RepoPath) -> Found:
    node = tree.nodes[path]
    if isinstance(node, LinkNode):
        return FoundLink(target=node.target)
    size_bytes = node.file.size_bytes if isinstance(node, FileNode) else 0
    return FoundFile(identity=node.identity, size_bytes=size_bytes)


def carried_out(plan: Plan, before: Inventory, tree: Tree) -> Inventory:
    """What a faithful `apply` leaves."""
    found = {
        path: there for path, there in before.found.items() if path not in {*plan.remove, *plan.quarantine}
    }
    found |= {put.path: found_of(tree, put.path) for put in plan.put}
    return Inventory(found=found, owned=dict(plan.owned))


def built(tree: Tree) -> Inventory:
    return carried_out(make_plan(tree, EMPTY), EMPTY, tree)


NAMES = st.lists(st.sampled_from(["one", "two", "three", "four"]), unique=True)


@given(before=NAMES, after=NAMES)
def test_a_plan_carried_out_leaves_nothing_to_plan(before: list[str], after: list[str]) -> None:
    def tree_of(names: list[str]) -> Tree:
        tok = (artifact("org/tok", seen("vocab.json"), absent=("x.json",)),)
        return lay_out([model(name, f"org/{name}", artifacts=tok) for name in names])

    there = built(tree_of(before))
    tree = tree_of(after)
    plan = make_plan(tree, there)
    left = carried_out(plan, there, tree)
    assert make_plan(tree, left).is_empty
    assert judge(tree, left).clean
    assert left.found.keys() == tree.nodes.keys()


def test_refs_and_sentinels_come_last() -> None:
    late = artifact("org/zzz", seen("vocab.json"), absent=("x.json",))
    order = [put.path for put in make_plan(lay_out([model(artifacts=(late,))]), EMPTY).put]
    assert order[-1] == "chat/.mlxk_workspace.json"
    assert all(path.endswith("/refs/main") for path in order[-3:-1])


def test_an_edited_file_stops_everything_and_is_named() -> None:
    tree = lay_out([model()])
    there = built(tree)
    edited = Inventory(found={**there.found, CONFIG: EDITED}, owned=there.owned)
    plan = make_plan(tree, edited)
    assert [change.path for change in plan.changed] == [CONFIG]
    assert not plan.is_empty
    assert [finding.problem for finding in judge(tree, edited).findings] == ["changed"]


def test_repair_moves_it_aside_and_puts_it_again() -> None:
    tree = lay_out([model()])
    there = built(tree)
    edited = Inventory(found={**there.found, CONFIG: EDITED}, owned=there.owned)
    plan = make_plan(tree, edited, repair=True)
    assert plan.quarantine == (CONFIG,)
    assert [put.path for put in plan.put] == [CONFIG]
    assert make_plan(tree, carried_out(plan, edited, tree)).is_empty


def test_repair_moves_the_parent_that_is_in_the_way() -> None:
    tree = lay_out([model()])
    blocked = FoundOther(kind="parent-is-link", at="chat")
    there = Inventory(found={path: blocked for path in tree.nodes if path.startswith("chat/")}, owned={})
    assert make_plan(tree, there, repair=True).quarantine == ("chat",)


def test_what_an_earlier_lock_put_is_replaced_without_a_word() -> None:
    old, new = lay_out([model()]), lay_out([model("chat", "org/chat", seen("config.json", b"{ }"))])
    plan = make_plan(new, built(old))
    assert plan.changed == ()
    assert CONFIG in {put.path for put in plan.put}
    assert RepoPath("chat/model.safetensors") in plan.remove


def test_a_file_that_mlxk_did_not_write_is_never_removed() -> None:
    tree = lay_out([model()])
    there = built(tree)
    mine = RepoPath("chat/notes.md")
    plan = make_plan(lay_out([]), Inventory(found={**there.found, mine: EDITED}, owned=there.owned))
    assert mine not in plan.remove
    assert mine not in plan.kept


def test_an_edited_file_that_nothing_needs_stays_and_is_told() -> None:
    tree = lay_out([model()])
    there = built(tree)
    plan = make_plan(lay_out([]), Inventory(found={**there.found, CONFIG: EDITED}, owned=there.owned))
    assert plan.kept == (CONFIG,)
    assert CONFIG not in plan.remove


def test_paths_of_other_groups_stay_and_stay_owned() -> None:
    both = lay_out([model("one", "org/one"), model("two", "org/two")])
    one = lay_out([model("one", "org/one")])
    plan = make_plan(one, built(both), spared=tuple(both.nodes))
    assert plan.is_empty
    assert plan.owned == {path: content_of(node) for path, node in both.nodes.items()}
    assert make_plan(one, built(both)).remove


def test_a_missing_file_is_a_finding_and_a_put() -> None:
    tree = lay_out([model()])
    there = built(tree)
    less = Inventory(found={k: v for k, v in there.found.items() if k != CONFIG}, owned=there.owned)
    assert [put.path for put in make_plan(tree, less).put] == [CONFIG]
    finding = judge(tree, less).findings[0]
    assert (finding.problem, finding.actual) == ("missing", None)


def test_something_in_the_way_is_obstructed() -> None:
    tree = lay_out([model()])
    there = built(tree)
    blocked = Inventory(found={**there.found, CONFIG: FoundOther(kind="directory")}, owned=there.owned)
    assert [finding.problem for finding in judge(tree, blocked).findings] == ["obstructed"]


def test_a_cachedir_tag_that_another_program_wrote_is_as_good() -> None:
    tag = RepoPath(".hf_cache/hub/CACHEDIR.TAG")
    tree = lay_out([model()])
    there = built(tree)
    theirs = Inventory(found={**there.found, tag: EDITED}, owned=there.owned)
    assert make_plan(tree, theirs).is_empty
    assert judge(tree, theirs).clean
    gone = Inventory(found={**there.found, tag: FoundLink(target="x")}, owned=there.owned)
    assert [change.path for change in make_plan(tree, gone).changed] == [tag]


def test_what_else_stands_in_a_models_directory_is_a_finding_and_never_planned() -> None:
    tree = lay_out([model()])
    assert tree.closed == ("chat",)
    there = built(tree)
    more = replace(there, strays=("chat/extra/", "chat/\x1b[2Jz.safetensors"))
    verdict = judge(tree, more)
    assert not verdict.clean
    assert [(finding.problem, finding.expected, finding.actual) for finding in verdict.findings] == [
        ("foreign", None, None)
    ] * 2
    told = [str(finding) for finding in verdict.findings]
    assert told == ["not in the lock: `chat/extra/`", "not in the lock: `chat/\\x1b[2Jz.safetensors`"]
    assert make_plan(tree, more) == make_plan(tree, there)


@pytest.mark.parametrize(
    ("problems", "cure"),
    [
        (["missing", "changed"], "sync"),
        (["foreign"], AWAY),
        (["foreign", "missing", "foreign"], f"{AWAY}, and sync"),
    ],
)
def test_no_sync_cures_what_is_foreign(problems: list[str], cure: str) -> None:
    assert cure_of(problems, "sync") == cure


def test_only_files_come_from_the_store() -> None:
    plan = make_plan(lay_out([model()]), EMPTY)
    assert sorted(node.file.path for node in plan.put_files) == ["config.json", "model.safetensors"]
