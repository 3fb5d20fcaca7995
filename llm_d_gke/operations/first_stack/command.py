"""Asks five questions and writes a stack file for the cheapest hardware that surely serves the answers."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import TypeAdapter, ValidationError
from rich.prompt import Prompt

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.operations.size.command import cheapest_that_fits, check_stack_name, find_model, row_of, write_stack
from llm_d_gke.operations.size.load import SizeError, parse_load
from llm_d_gke.operations.size.options import compare_hardware, zones_in
from llm_d_gke.settings.names import ProjectId
from llm_d_gke.wording import wrapped

# An open model that one L4 runs, which most regions have.
NAME, MODEL, LOAD, LOCATION = "first", "Qwen/Qwen3-8B", "0.5/s 500+100", "us-central1"

_OWN_MODEL = (
    "For a model of your own: make size MODEL=organization/name CONFIG=path/to/config.json WRITE=stack, which asks"
    " nothing and writes the same kind of file."
)

_PROJECT: TypeAdapter[str] = TypeAdapter(ProjectId)


def write_first_stack(name: str | None = None, *, ask: bool) -> int:
    """Write Pulumi.<name>.yaml and print the next commands. Without `ask` every answer is the default."""
    catalog = load_catalog()
    question = _ask if ask else _take_default
    name = check_stack_name(name) if name else question("Name of the stack", NAME, check_stack_name)
    project = question("Google Cloud project (empty: set it later)", "", _check_project)
    model = find_model(catalog, question("Model", MODEL, lambda text: find_model(catalog, text, _OWN_MODEL).id))
    load_text = question("Load: requests per second, prompt+output tokens", LOAD, _check_load)
    location = question("Zone or region", LOCATION, lambda text: _check_location(catalog, text))
    options, _ = compare_hardware(catalog, model, parse_load(load_text), location)
    if not options:
        print(f"no machine in {location} serves that: `make size MODEL={model.id} LOAD='{load_text}'` lists the others")
        return REFUSED
    option = cheapest_that_fits(options)
    path = write_stack(name, {**({"project": project} if project else {}), **option.settings}, option, "make init")
    price = (
        f"${option.reference_usd:,.0f} a month {option.reference_way}"
        if option.monthly_usd
        else "a price that is not known"
    )
    print(
        wrapped(
            f"wrote {path.name}: {option.replicas} x {option.hardware.replica} on {option.hardware.machine.name},"
            f" {option.hardware.zone}, {price} while every replica runs"
        )
    )
    size = f"make size MODEL={model.id} LOAD='{load_text}' LOCATION={location}"
    print(wrapped(f"Of the rows of {size}: {' '.join(row_of(option, options).split())}"))
    if model.gated:
        print(f"accept the license at huggingface.co/{model.id} with the account of your token")
    print(f"next: make report STACK={name}, make preview STACK={name}")
    print(f"here, in a rehearsal: make up STACK={name}; on GKE: docs/first-hour.md")
    return DONE


def _ask(text: str, default: str, check: Callable[[str], str]) -> str:
    """Ask until the answer passes the check."""
    while True:
        try:
            answer = Prompt.ask(text, default=default, show_default=bool(default))
        except EOFError:
            raise SizeError("no answer can be read here: `make init ARGS=--yes` takes the defaults") from None
        try:
            return check(answer)
        except SizeError as error:
            print(wrapped(str(error)))


def _take_default(_text: str, default: str, check: Callable[[str], str]) -> str:
    return check(default)


def _check_project(text: str) -> str:
    """Empty, or the id of a project as the settings accept it."""
    if not text:
        return text
    try:
        return _PROJECT.validate_python(text)
    except ValidationError as error:
        raise SizeError(f"{text!r} is no id of a project: {error.errors()[0]['msg']}") from error


def _check_load(text: str) -> str:
    parse_load(text)
    return text


def _check_location(catalog: Catalog, text: str) -> str:
    zones_in(catalog, text)
    return text.strip().lower()
