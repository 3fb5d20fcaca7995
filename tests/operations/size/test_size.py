"""`size`, `init` and `catalog`: one question over the whole catalog, and stack files that can be previewed."""

from __future__ import annotations

import functools
import io
import shutil
from collections.abc import Collection
from pathlib import Path

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog import Catalog, Model
from llm_d_gke.catalog.reading import parse_yaml, read_yaml
from llm_d_gke.catalog.schema import region_of
from llm_d_gke.operations.catalog_tables.kind import Kind
from llm_d_gke.operations.first_stack import command as first_stack
from llm_d_gke.operations.size import command
from llm_d_gke.operations.size.command import cheapest_that_fits, row_of, sizes_text
from llm_d_gke.operations.size.load import Load, LoadError, SizeError, parse_load
from llm_d_gke.operations.size.options import Option, Refusal, compare_hardware, settings_of, zones_in
from llm_d_gke.planning import plan_raw
from tests.command_line import llmd
from tests.work import calls_of

QWEN = "Qwen/Qwen3-8B"


def options(model: str = QWEN, load: str = "20/s 2000+300", location: str | None = None) -> list[Option]:
    return _compared(model, parse_load(load), location, None)[0]


@functools.cache
def _compared(
    model: str, load: Load, location: str | None, accelerators: tuple[str, ...] | None
) -> tuple[list[Option], list[Refusal]]:
    """One comparison of the catalog takes seconds. Without defaults: to the cache an omitted value is another one."""
    entry = catalog.load().find_model(model)
    assert entry is not None
    return compare_hardware(catalog.load(), entry, load, location, accelerators=accelerators)


@pytest.fixture(autouse=True)
def compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take the comparison that another test has made of the same question."""

    def compare(
        whole: Catalog,
        model: Model,
        load: Load,
        location: str | None = None,
        max_model_len: int | None = None,
        config: str | None = None,
        accelerators: Collection[str] | None = None,
    ) -> tuple[list[Option], list[Refusal]]:
        if whole is not catalog.load() or max_model_len is not None or config is not None:
            return compare_hardware(whole, model, load, location, max_model_len, config, accelerators)
        return _compared(model.id, load, location, None if accelerators is None else tuple(accelerators))

    for module in (command, first_stack):
        monkeypatch.setattr(module, "compare_hardware", compare)


@pytest.fixture(scope="module")
def rows() -> list[Option]:
    return options()


class TestLoad:
    @pytest.mark.parametrize(
        ("text", "load"),
        [
            ("20/s 2000+300", Load(rate=20, prompt=2000, output=300)),
            ("0.5/s, 100+1", Load(rate=0.5, prompt=100, output=1)),
            ("16", Load(in_flight=16)),
            ("2000+300 16", Load(in_flight=16, prompt=2000, output=300)),
        ],
    )
    def test_it_is_read(self, text: str, load: Load) -> None:
        assert parse_load(text) == load

    @pytest.mark.parametrize(
        "text", ["", "2000+300", "fast", "20/s 16", "0/s", "0", "5/s 0+10", "20 rps", "20 2000 300", "1/s 9+9 8+8"]
    )
    def test_what_cannot_be_read_gets_an_example(self, text: str) -> None:
        with pytest.raises(LoadError, match="20/s 2000"):
            parse_load(text)


class TestComparison:
    def test_without_a_row_no_two_empty_lines_follow_each_other(self) -> None:
        model = catalog.load().models[QWEN]
        text = sizes_text(model, parse_load("1/s 200000+300"), [], [])
        assert text.splitlines()[0] == f"{QWEN}, 1 request/s of 200,000 prompt and 300 output tokens"
        assert "\n\n\n" not in text

    def test_it_covers_the_catalog(self, rows: list[Option]) -> None:
        kinds = {row.hardware.accelerator.name for row in rows}
        assert {"nvidia-l4", "nvidia-tesla-t4", "nvidia-h100-80gb", "nvidia-h200-141gb", "tpu-v6e"} <= kinds
        assert len({row.hardware.machine.name for row in rows}) > 25

    def test_cheapest_first(self, rows: list[Option]) -> None:
        assert [row.reference_usd for row in rows] == sorted(row.reference_usd for row in rows)

    def test_each_row_is_what_the_plan_of_its_settings_says(self, rows: list[Option]) -> None:
        for row in (rows[0], rows[len(rows) // 2], rows[-1]):
            plan = plan_raw(
                "x",
                {**row.settings, "project": "my-project", "huggingFace": {"token": "hf_x"}},
                frozenset({"huggingFace"}),
            )
            (server,) = plan.models[0].servers
            assert server.replicas == row.replicas
            assert server.memory == row.memory
            ways = {way.provisioning: way.total.monthly for way in plan.cost.alternatives}
            assert row.monthly_usd.items() <= ways.items()
            capacity = plan.models[0].capacity
            assert capacity is not None
            assert capacity.at_load is not None
            assert capacity.at_load.requests_per_second == 20

    def test_half_the_load_takes_fewer_replicas(self, rows: list[Option]) -> None:
        fewer = {row.hardware.machine.name: row.replicas for row in options(load="5/s 2000+300")}
        for row in rows:
            assert fewer[row.hardware.machine.name] <= row.replicas

    def test_a_region_keeps_to_its_zones(self) -> None:
        rows = options(location="europe-west4")
        assert rows
        assert {row.hardware.zone[:-2] for row in rows} == {"europe-west4"}

    def test_machines_that_are_not_sold_on_demand_have_no_such_price(self, rows: list[Option]) -> None:
        for row in rows:
            if not row.hardware.machine.on_demand_ok:
                assert "on-demand" not in row.monthly_usd
                assert row.settings["accelerator"]["provisioning"] == "spot"

    def test_a_sum_that_lacks_a_price_is_a_lower_bound(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Trillium's boot disks are of a kind whose price no list has; those of L4 have one."""
        assert llmd("size", QWEN, "20/s 2000+300", "--location", "europe-west4", "--accelerator", "l4,v6e") == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        prices = {words[0]: words[-7:-5] for words in lines if words and words[0].startswith(("ct6e-", "g2-"))}
        assert {tuple(price.endswith("+") for price in pair) for name, pair in prices.items() if name[0] == "c"} == {
            (True, True)
        }
        assert not any(price.endswith("+") for name, pair in prices.items() if name[0] == "g" for price in pair)

    def test_what_does_not_fit_has_a_reason(self) -> None:
        rows, refusals = _compared("meta-llama/Llama-3.3-70B-Instruct", parse_load("1/s"), None, None)
        assert "g2-standard-4" not in {row.hardware.machine.name for row in rows}
        reasons = {refusal.hardware.machine.name: refusal.reason for refusal in refusals}
        assert "GiB" in reasons["g2-standard-4"]

    def test_its_work_fits_two_seconds(self) -> None:
        options()
        assert (
            calls_of(functools.partial(_compared.__wrapped__, QWEN, parse_load("20/s 2000+300"), None, None))
            < 4_500_000
        )


def test_the_table_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("size", QWEN, "20/s 2000+300") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["machine", "replica", "rep", "nodes", "on-demand", "spot", "first", "each", "$/M"]


@pytest.mark.parametrize(
    ("model", "load", "location"),
    [
        (QWEN, "20/s 2000+300", "europe-west4"),
        (QWEN, "150/s 4000+400", "us"),
        ("Qwen/Qwen3-32B", "5/s 3000+500", "us-central1"),
        ("Qwen/Qwen2.5-0.5B-Instruct", "300/s 1000+200", "asia"),
    ],
)
def test_no_column_is_cut(model: str, load: str, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("size", model, load, "--location", location) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_speeds_of_a_model_that_no_measurement_resembles_have_no_stated_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert llmd("size", "deepseek-ai/DeepSeek-V4-Flash", "1/s 2000+300", "--accelerator", "nvidia-h200-141gb") == 0
    notes = " ".join(capsys.readouterr().out.split())
    assert "Speeds are estimates: an order of magnitude, for none was held against a measurement" in notes


def test_marginal_memory_is_marked(rows: list[Option]) -> None:
    entry = catalog.load().find_model(QWEN)
    assert entry is not None
    text = sizes_text(entry, parse_load("20/s 2000+300"), rows, [])
    table = text.split("\n\n")[1].splitlines()[1:]
    assert [" ~" in line for line in table] == [row.memory.status == "marginal" for row in rows]
    assert {row.memory.status for row in rows} == {"fits", "marginal"}


def test_machines_that_cannot_serve_are_listed_by_accelerator() -> None:
    entry = catalog.load().find_model("meta-llama/Llama-3.3-70B-Instruct")
    assert entry is not None
    rows, refusals = _compared(entry.id, parse_load("1/s"), None, None)
    text = sizes_text(entry, parse_load("1/s"), rows, refusals)
    listed = text[text.index("Not possible:") :]
    machines = {refusal.hardware.machine.name for refusal in refusals if refusal.hardware.replica == "1 T4"}
    assert len(machines) > 1
    assert f"1 T4 ({len(machines)} machine types)" in " ".join(listed.split())
    assert len(listed.splitlines()) < len(refusals)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("tpu", {"tpu-v5e", "tpu-v5p", "tpu-v6e", "tpu-v7x"}),
        ("v6e", {"tpu-v6e"}),
        ("l4,v5e", {"nvidia-l4", "tpu-v5e"}),
        ("h100", {"nvidia-h100-80gb", "nvidia-h100-mega-80gb"}),
        ("tpu-v6e-slice", {"tpu-v6e"}),  # GKE's node label
    ],
)
def test_a_part_of_a_name_or_several_choose_accelerators(
    words: str, names: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert llmd("size", QWEN, "1/s 500+100", "--accelerator", words) == 0
    machines = {machine.name: name for name in names for machine in catalog.load().machines_for(name)}
    rows = capsys.readouterr().out.split("\n\n")[1].splitlines()[1:]
    assert {machines[row.split()[0]] for row in rows} <= names
    assert rows


def test_an_accelerator_that_is_not_in_a_place_is_said_to_be_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("size", QWEN, "1/s 500+100", "--accelerator", "v7x", "--location", "europe") == 2
    out = capsys.readouterr().out
    assert "No such accelerator is in europe: tpu-v7x is in us-central1-c" in out
    assert out.startswith(f"{QWEN}, 1 request/s of")
    assert "\n\n\n" not in out


def test_a_model_too_large_for_one_host_is_not_said_to_fit_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("size", "meta-llama/Llama-3.1-405B-Instruct", "1/s", "--accelerator", "v6e") == 2
    out = capsys.readouterr().out
    assert "does not fit into the memory of one host" in " ".join(out.split())
    assert NOT_COMPARED in " ".join(out.split())


NOT_COMPARED = "Not compared: replicas of several hosts (a larger topology of a TPU slice, pipelineParallel)"


def test_what_is_not_compared_is_said_beside_rows_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("size", QWEN, "1/s 500+100", "--accelerator", "v6e") == 0
    assert NOT_COMPARED in " ".join(capsys.readouterr().out.split())


def test_a_host_with_little_memory_is_marked_and_not_chosen() -> None:
    """n1-standard-2 has 7.5 GB for the five or six processes of an engine on four T4."""
    entry = catalog.load().find_model(QWEN)
    assert entry is not None
    rows, _ = _compared(QWEN, parse_load("1/s"), None, ("nvidia-tesla-t4",))
    names = {(row.hardware.machine.name, row.hardware.per_node): row.has_small_host for row in rows}
    small = {machine for (machine, gpus), is_small in names.items() if gpus == 4 and is_small}
    assert small == {"n1-standard-2", "n1-standard-4"}
    assert (rows[0].hardware.machine.name, rows[0].has_small_host) == ("n1-standard-2", True)
    chosen = cheapest_that_fits(rows)
    assert not chosen.has_small_host
    assert "the cheapest row without !" in row_of(chosen, rows)
    assert " ~! " in sizes_text(entry, parse_load("1/s"), rows, []).splitlines()[3]


class TestLocation:
    def test_a_prefix_takes_each_machine_where_it_is_cheapest(self) -> None:
        def prices(location: str) -> dict[tuple[str, int], float]:
            rows = options(location=location)
            return {(row.hardware.machine.name, row.hardware.per_node): row.reference_usd for row in rows}

        everywhere, regions = prices("europe"), [prices("europe-west4"), prices("europe-west1")]
        assert all(regions)
        for region in regions:
            for machine, price in region.items():
                assert everywhere[machine] <= price

    @pytest.mark.parametrize("text", ["europe-west4", "Europe-West4", " EUROPE-WEST4-A "])
    def test_upper_and_lower_case_are_the_same(self, text: str) -> None:
        assert {region_of(zone) for zone in zones_in(catalog.load(), text)} == {"europe-west4"}

    def test_a_region_is_not_the_prefix_of_another(self) -> None:
        assert {region_of(zone) for zone in zones_in(catalog.load(), "us-east1")} == {"us-east1"}
        assert len({region_of(zone) for zone in zones_in(catalog.load(), "us-east")}) > 1

    @pytest.mark.parametrize(
        ("text", "near"),
        [
            ("eu-west4", "europe-west4"),
            ("us-centrl1", "us-central1"),
            ("us-cent1", None),
            ("europe-west-4", "europe-west4"),
            ("Frankfurt", "europe-west3"),
            ("mars", None),
            ("", None),
        ],
    )
    def test_an_unknown_place_gets_a_suggestion(self, text: str, near: str | None) -> None:
        with pytest.raises(SizeError, match="KIND=zones") as caught:
            zones_in(catalog.load(), text)
        if near is not None:
            assert f"Did you mean {near}?" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("qwen/qwen3-9b",), "Did you mean Qwen/Qwen3-8B"),
        ((QWEN, "20 rps"), "Write '20/s 2000+300'"),
        ((QWEN, "--accelerator", "nvidia-l5"), "Did you mean nvidia-l4"),
        ((QWEN, "--accelerator", "l4,v8e"), "the catalog has no accelerator 'v8e'"),
        ((QWEN, "--location", "eu-west4"), "Did you mean europe-west4?"),
        (("config.json",), "is compared by its config.json"),
        ((QWEN, "--write", "My Stack"), "no name of a stack"),
    ],
)
def test_a_question_that_cannot_be_answered_ends_with_2(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert llmd("size", *arguments) == 2
    assert words in " ".join(capsys.readouterr().err.split())


CONFIG = Path(__file__).parents[2] / "catalog" / "configs" / "google--gemma-2b-it.json"


class TestWrittenStackFiles:
    @pytest.fixture(autouse=True)
    def root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(command, "PROJECT_ROOT", tmp_path)
        return tmp_path

    def planned(self, file: Path) -> None:
        config = read_yaml(file)["config"]
        values = {key.removeprefix("llm-d:"): value for key, value in config.items()}
        plan_raw("x", {"project": "my-project", **values, "huggingFace": {"token": "hf_x"}}, frozenset({"huggingFace"}))

    def test_size_writes_its_first_row(self, root: Path) -> None:
        assert llmd("size", QWEN, "2/s 500+100", "--accelerator", "nvidia-l4", "--write", "chat") == 0
        self.planned(root / "Pulumi.chat.yaml")
        text = (root / "Pulumi.chat.yaml").read_text(encoding="utf-8")
        assert text.startswith("# Written by `make size`: ")
        assert llmd("size", QWEN, "2/s 500+100", "--write", "chat") == 2

    def test_a_config_is_written_as_every_checkout_has_it(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (root / "own").mkdir()
        shutil.copy(CONFIG, root / "own/config.json")
        arguments = ("size", "acme/own", "1/s 500+100", "--accelerator", "l4", "--config-json")
        assert llmd(*arguments, str(root / "own"), "--write", "chat") == 0
        assert read_yaml(root / "Pulumi.chat.yaml")["config"]["llm-d:models"][0]["config"] == "own"
        assert "copy it" not in capsys.readouterr().out
        assert llmd(*arguments, str(CONFIG), "--write", "other") == 0
        assert "is outside of the project's folder: copy it" in " ".join(capsys.readouterr().out.split())

    def test_a_row_that_is_sold_as_spot_only_is_said_to_be_spot(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            llmd("size", QWEN, "20/s 2000+300", "--location", "us-central1", "--accelerator", "h100", "--write", "chat")
            == 0
        )
        assert "wrote Pulumi.chat.yaml for a3-highgpu-1g (1 H100, spot), the first row." in capsys.readouterr().out

    def test_init_takes_its_defaults(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert llmd("init", "--yes") == 0
        self.planned(root / "Pulumi.first.yaml")
        assert "make preview STACK=first" in capsys.readouterr().out

    def test_init_takes_the_name_that_it_is_given(self, root: Path) -> None:
        assert llmd("init", "chat", "--yes") == 0
        assert (root / "Pulumi.chat.yaml").exists()
        assert not (root / "Pulumi.first.yaml").exists()

    @pytest.mark.parametrize(
        ("model", "load", "location"),
        [
            ("Qwen/Qwen3-32B", "5/s 3000+500", "us-central1"),
            ("Qwen/Qwen3-32B", "5/s 3000+500", "europe-west4"),
            (QWEN, "40/s 1000+200", "us-central1"),
        ],
    )
    def test_init_takes_the_cheapest_hardware(
        self,
        model: str,
        load: str,
        location: str,
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        answers = iter(["chat", "", model, load, location])
        monkeypatch.setattr("llm_d_gke.operations.first_stack.command.Prompt.ask", lambda *_, **__: next(answers))
        assert llmd("init") == 0
        text = (root / "Pulumi.chat.yaml").read_text(encoding="utf-8")
        first = options(model, load, location)[0]
        config = parse_yaml(text)["config"]
        assert {key.removeprefix("llm-d:"): value for key, value in config.items()} == first.settings
        assert text.startswith("# Written by `make init`: ")
        out = " ".join(capsys.readouterr().out.split())
        assert f"${first.reference_usd:,.0f} a month {first.reference_way}" in out
        assert f"make size MODEL={model} LOAD='{load}' LOCATION={location}" in out

    def test_a_marginal_row_is_written_only_where_all_are(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        model, load, location = "Qwen/Qwen3-14B", "0.5/s 500+100", "us-central1"
        rows = options(model, load, location)
        assert rows[0].memory.status == "marginal"
        sure = next(row for row in rows if row.memory.status != "marginal")
        assert llmd("size", model, load, "--location", location, "--write", "chat") == 0
        config = read_yaml(root / "Pulumi.chat.yaml")["config"]
        assert config["llm-d:accelerator"]["machineType"] == sure.hardware.machine.name
        assert "the cheapest row without ~" in capsys.readouterr().out
        assert cheapest_that_fits(rows[:1]) is rows[0]
        assert "marginal" in row_of(rows[0], rows[:1])

    def test_what_was_written_is_the_first_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert llmd("size", QWEN, "2/s 500+100", "--accelerator", "nvidia-l4", "--write", "chat") == 0
        assert capsys.readouterr().out.startswith("wrote Pulumi.chat.yaml")

    def test_init_that_can_ask_nobody_names_the_option_for_that(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        assert llmd("init") != 0
        assert "`make init ARGS=--yes` takes the defaults" in " ".join(capsys.readouterr().err.split())

    def test_init_refuses_name_and_project_at_once(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (root / "Pulumi.chat.yaml").write_text("config: {}\n", encoding="utf-8")
        texts: list[str] = []
        answers = iter(["chat", "chat2", "MY PROJ", "123456", "my-project", QWEN, "1/s 500+100", "us-central1"])

        def ask(text: str, **_: object) -> str:
            texts.append(text)
            return next(answers)

        monkeypatch.setattr("llm_d_gke.operations.first_stack.command.Prompt.ask", ask)
        assert llmd("init") == 0
        assert [text.split()[0] for text in texts] == ["Name"] * 2 + ["Google"] * 3 + ["Model", "Load:", "Zone"]
        out = " ".join(capsys.readouterr().out.split())
        assert "Pulumi.chat.yaml exists already" in out
        assert "a project id has 6 to 30 lower-case letters" in out
        assert "this is a project number" in out
        assert "Value error" not in out

    def test_init_asks_again_after_a_wrong_answer(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answers = iter(["Chat!", "chat", "my-project", "qwen3", QWEN, "fast", "1/s 500+100", "mars-1", "us-central1"])
        monkeypatch.setattr("llm_d_gke.operations.first_stack.command.Prompt.ask", lambda *_, **__: next(answers))
        assert llmd("init") == 0
        assert next(answers, None) is None
        self.planned(root / "Pulumi.chat.yaml")
        text = (root / "Pulumi.chat.yaml").read_text(encoding="utf-8")
        assert "llm-d:project: my-project" in text
        assert "llm-d:location: us-central1-" in text
        assert "Did you mean" in capsys.readouterr().out


class TestCatalog:
    @pytest.mark.parametrize("kind", list(Kind))
    def test_it_lists_every_kind(self, kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
        assert llmd("catalog", kind.value) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 80
        load = catalog.load()
        entries = {"models": load.models, "accelerators": load.accelerators, "machines": load.machines}
        for name in entries.get(kind.value, ()):
            assert any(line.startswith(name) for line in lines), name

    def test_no_number_is_broken(self, capsys: pytest.CaptureFixture[str]) -> None:
        llmd("catalog", "models")
        rows = capsys.readouterr().out.partition("\n\n")[0].splitlines()[1:]
        assert [row for row in rows if len(row.split()) != 4] == []
        contexts = {row.split()[0]: row.split()[2] for row in rows}
        assert contexts == {model.id: f"{model.context:,}" for model in catalog.load().models.values()}

    def test_prices_are_those_of_ways_in_which_a_machine_is_sold(self, capsys: pytest.CaptureFixture[str]) -> None:
        llmd("catalog", "machines", "h100")
        rows = {line.split()[0]: line.split()[-2:] for line in capsys.readouterr().out.splitlines() if line}
        assert rows["a3-highgpu-1g"][0] == "-"
        assert rows["a3-highgpu-8g"][0].startswith("$")
        assert rows["a3-highgpu-1g"][1].startswith("$")

    def test_a_misspelled_search_is_answered_with_the_nearest_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert llmd("catalog", "models", "mixtrl") == 2
        assert "Did you mean Mixtral?" in capsys.readouterr().out

    def test_signs_of_a_search_count_for_nothing_where_it_finds_nothing_else(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert llmd("catalog", "models", "qwen-3-8b") == 0
        rows = capsys.readouterr().out.partition("\n\n")[0].splitlines()[1:]
        assert [row.split()[0] for row in rows] == ["Qwen/Qwen3-8B"]

    @pytest.mark.parametrize(
        ("kind", "search", "hint"),
        [("models", "A100", "KIND=accelerators FIND='A100'"), ("zones", "frankfurt", "Did you mean europe-west3?")],
    )
    def test_a_search_in_the_wrong_list_leads_to_the_right_one(
        self, kind: str, search: str, hint: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert llmd("catalog", kind, search) == 2
        assert hint in " ".join(capsys.readouterr().out.split())

    def test_a_search_of_two_words_lists_first_what_is_named_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert llmd("catalog", "models", "qwen 3") == 0
        rows = capsys.readouterr().out.partition("\n\n")[0].splitlines()[1:]
        assert rows[0].startswith("Qwen/Qwen3")
        assert any(row.startswith("Qwen/Qwen2.5") for row in rows)

    def test_every_word_must_occur(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert llmd("catalog", "models", "llama 70b") == 0
        rows = capsys.readouterr().out.partition("\n\n")[0].splitlines()[1:]
        assert rows
        assert all("llama" in row.lower() and "70b" in row.lower() for row in rows)
        assert llmd("catalog", "zones", "atlantis") == 2

    def test_a_search_for_zones_finds_beginnings_of_words(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert llmd("catalog", "zones", "t4") == 0
        listing = capsys.readouterr().out
        assert "us-west4-a" in listing
        # It has no T4; its name ends in t4.
        assert "us-west4-c" not in listing


def test_half_precision_is_set_where_bfloat16_is_missing(rows: list[Option]) -> None:
    (row,) = [row for row in rows if row.hardware.machine.name == "n1-standard-4" and row.hardware.per_node == 4]
    model = catalog.load().find_model(QWEN)
    assert model is not None
    assert settings_of(model, Load(rate=1), row.hardware, 1)["models"][0]["dtype"] == "half"


class TestAModelOfYourOwn:
    def test_it_is_sized_by_its_configuration(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert llmd("size", "acme/own", "1/s 500+100", "--accelerator", "l4", "--config-json", str(CONFIG)) == 0
        assert "g2-standard-4" in capsys.readouterr().out

    def test_the_stack_file_names_the_configuration(self) -> None:
        described = command.with_described(catalog.load(), "acme/own", str(CONFIG))
        model = described.find_model("acme/own")
        assert model is not None
        load, l4 = parse_load("1/s 500+100"), ["nvidia-l4"]
        [option, *_] = compare_hardware(described, model, load, "us-central1-a", None, "own.json", l4)[0]
        assert option.settings["models"][0]["config"] == "own.json"

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("none.json", "there is no such file"),
            ("adapter.json", "a LoRA adapter"),
            ("unknown.json", r"(?s)JambaForCausalLM is not one .* add it to llm_d_gke/catalog/models.yaml"),
        ],
    )
    def test_what_is_wrong_with_the_file_is_said_with_what_to_do(self, tmp_path: Path, name: str, words: str) -> None:
        (tmp_path / "adapter.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
        (tmp_path / "unknown.json").write_text(
            '{"architectures": ["JambaForCausalLM"], "model_type": "jamba"}', encoding="utf-8"
        )
        with pytest.raises(SizeError, match=words):
            command.with_described(catalog.load(), "acme/own", str(tmp_path / name))

    def test_a_model_that_the_catalog_lacks_leads_to_it(self) -> None:
        with pytest.raises(SizeError, match="CONFIG=path/to/config"):
            command.find_model(catalog.load(), "acme/own")
