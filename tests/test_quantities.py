from __future__ import annotations

import pytest

from llm_d_gke.quantities import cpu_millis, memory_mib, quantity, seconds, token_count


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), ("8Gi", 8 * 2**30), ("2", 2), ("1k", 1000), ("100Mi", 104857600), (".5", 0.5), ("1e3", 1000)],
)
def test_quantities_are_numbers(text: str, number: float) -> None:
    assert float(quantity(text)) == number


@pytest.mark.parametrize(("written", "back"), [("0.1Gi", "107374182400m"), ("1.5Gi", "1536Mi"), ("1024Mi", "1Gi")])
def test_an_amount_is_the_same_however_an_api_server_writes_it(written: str, back: str) -> None:
    """k8s.io/apimachinery v0.36.0; findings/kubernetes-quantities-rewritten.sh."""
    assert quantity(written) == quantity(back)


@pytest.mark.parametrize("text", ["", "Gi", "1.2.3", "8 GB", "yes", "True"])
def test_other_text_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantity(text)


def test_processors_count_in_thousandths_and_memory_in_mebibytes() -> None:
    assert (cpu_millis("250m"), cpu_millis("2")) == (250, 2000)
    assert (memory_mib("512Mi"), memory_mib("2Gi")) == (512, 2048)


@pytest.mark.parametrize(("text", "number"), [("16384", 16384), ("16k", 16000), ("16K", 16384), ("1.5m", 1500000)])
def test_vllm_counts_lower_case_in_thousands(text: str, number: int) -> None:
    assert token_count(text) == number


def test_a_length_of_auto_is_no_number() -> None:
    with pytest.raises(ValueError, match="not a number of tokens"):
        token_count("auto")


@pytest.mark.parametrize(("text", "number"), [("1s", 1), ("500ms", 0.5), ("1m30s", 90), ("1h", 3600)])
def test_durations_are_seconds(text: str, number: float) -> None:
    assert seconds(text) == number
