"""Parsers of tool calls and of reasoning fit the models that the catalog says write their form."""

from __future__ import annotations

from llm_d_gke.catalog import load
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_reports import family_of
from llm_d_gke.catalog.engine_tables import facts_of, versions


def test_no_parser_of_a_family_is_another_s_by_its_architecture() -> None:
    """Under an id of its own a model of the catalog may keep the parser that is recommended for it."""
    engine = load_engine()
    for families, rows in (
        (engine.tool_calls, engine.own_tool_parsers),
        (engine.reasoning, engine.own_reasoning_parsers),
    ):
        for model in load().models.values():
            form = family_of(families, model.id)
            for parser in form.parsers[:1] if form is not None else ():
                readers = [row for row in rows if parser in row.parsers]
                strict = [row for row in rows if row.only and row.are_of(model.architecture)]
                of_family = any(row.are_of(model.architecture) for row in readers)
                assert of_family or not (readers or strict), (model.id, parser)


def test_every_parser_of_a_family_is_one_of_some_engine() -> None:
    engine = load_engine()
    tables = [facts for version in versions() for facts in facts_of(version)]
    tools = {name for facts in tables for name in facts.tool_parsers}
    reasoning = {name for facts in tables for name in facts.reasoning_parsers}
    assert {name for form in engine.tool_calls for name in form.parsers} <= tools
    assert {name for row in engine.own_tool_parsers for name in row.parsers} <= tools
    assert {name for form in engine.reasoning for name in form.parsers} <= reasoning
    assert {name for row in engine.own_reasoning_parsers for name in row.parsers} <= reasoning
