"""One result in three forms: nothing that failed or was skipped may look as if it had passed."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from llm_d_gke.operations.verify.command import as_json, as_junit, line, summary
from llm_d_gke.operations.verify.result import Checked, Verification, failed, passed, skipped

CHECKS = (
    Checked(id="chat", summary="Each model answers.", result=passed("m"), seconds=0.1),
    Checked(id="prefill", summary="Long prompts go.", result=failed("\x1b[31m0 of 1 & more", "make x"), seconds=0.2),
    Checked(id="same-answer", summary="One answer.", result=skipped("one replica"), seconds=0.3),
)
VERIFICATION = Verification(stack="gpu", looked_at="a stack", checks=CHECKS, seconds=0.6)


def test_the_table_names_promise_and_next_command_of_a_failure() -> None:
    assert [line(check).split()[0] for check in CHECKS] == ["ok", "FAILED", "skipped"]
    assert "promised: Long prompts go." in line(CHECKS[1])
    assert "next: make x" in line(CHECKS[1])
    assert summary(VERIFICATION) == "1 check passed, 1 failed, 1 skipped in 1 s\nlooked at a stack"


def test_long_evidence_is_indented_below_itself() -> None:
    first, *rest = line(Checked(id="models", summary="", result=passed("word " * 30), seconds=0.1)).splitlines()
    assert rest
    assert all(text.index("word") == first.index("word") and len(text) <= 80 for text in (first, *rest))


def test_json_has_every_check_with_its_outcome() -> None:
    document = json.loads(as_json(VERIFICATION))
    assert document["failed"] is True
    assert [(check["id"], check["outcome"]) for check in document["checks"]] == [
        ("chat", "passed"),
        ("prefill", "failed"),
        ("same-answer", "skipped"),
    ]
    assert document["checks"][1]["next"] == "make x"


def test_junit_counts_failures_and_skips_and_is_legal_xml() -> None:
    suite = ElementTree.fromstring(as_junit(VERIFICATION))  # noqa: S314 - written a line above
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    failure = cases["prefill"].find("failure")
    assert failure is not None
    assert failure.text == " [31m0 of 1 & more\nnext: make x"
    assert cases["same-answer"].find("skipped") is not None
    assert cases["chat"].find("failure") is None
