"""Logs are JSON lines with an event, its fields and the trace; metrics are there as Prometheus text."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mcsvc.config import load
from mcsvc.observability import logs, telemetry
from mcsvc.observability.tracing import context_of, current_traceparent, span
from tests.mcsvc_harness import Recorder

ENVIRON = {
    "DATABASE_URL": "postgresql://db/mc",
    "KAFKA_BROKERS": "a:9092",
    "RAY_SERVE_URL": "ray:9000",
    "CORE_SERVICE_URL": "http://core",
}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What was logged; the root logger is put back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("INFO", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def logged(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_fields(lines: io.StringIO) -> None:
    logs.get_logger("mcsvc.jobs").info("job_claimed", job_id="j-1", attempt=2, odd=object)
    [line] = logged(lines)
    assert (line["event"], line["job_id"], line["attempt"], line["level"]) == ("job_claimed", "j-1", 2, "INFO")
    assert line["time"]


def test_the_standard_loggers_extra_becomes_fields(lines: io.StringIO) -> None:
    logging.getLogger("other").warning("job_rescued %s", "x", extra={"job_id": "j-1"})
    [line] = logged(lines)
    assert (line["event"], line["job_id"]) == ("job_rescued x", "j-1")


def test_bound_fields_are_on_every_line_of_their_block(lines: io.StringIO) -> None:
    log = logs.get_logger("x")
    with logs.fields(job_id="j-1"):
        log.info("inside")
    log.info("outside")
    assert [line.get("job_id") for line in logged(lines)] == ["j-1", None]


def test_a_line_within_a_span_names_the_trace(lines: io.StringIO) -> None:
    with span(Recorder().tracer, "work"):
        logs.get_logger("x").info("inside")
        traceparent = current_traceparent()
    [line] = logged(lines)
    assert traceparent.split("-")[1:3] == [line["trace_id"], line["span_id"]]


def test_an_exception_comes_with_its_stack(lines: io.StringIO) -> None:
    empty: dict[str, int] = {}
    try:
        empty.pop("k")
    except KeyError:
        logs.get_logger("x").exception("broke")
    [line] = logged(lines)
    assert "KeyError: 'k'" in str(line["stack"])
    assert "\n" in str(line["stack"])


@pytest.mark.parametrize("text", ["", "nonsense", "00-0-0-01"])
def test_a_malformed_traceparent_starts_a_trace(text: str) -> None:
    assert not context_of(text)


def test_a_failed_block_marks_its_span() -> None:
    recorder = Recorder()
    with pytest.raises(ValueError, match="x"), span(recorder.tracer, "work"):
        raise ValueError("x")
    [finished] = recorder.exporter.get_finished_spans()
    assert finished.status.description == "ValueError"


def test_telemetry_counts_and_traces_without_anything_global() -> None:
    exporter = InMemorySpanExporter()
    told = telemetry.set_up(load(ENVIRON), {}, spans=exporter)
    told.metrics.path_steps.add(5)
    told.metrics.dependency_up.set(1, {"dependency": "database"})
    with span(told.tracer, "work"):
        pass
    text = told.prometheus().decode()
    told.shutdown()
    assert "mcsvc_engine_path_steps_total 5.0" in text
    assert 'mcsvc_dependency_up{dependency="database"} 1.0' in text
    assert [each.name for each in exporter.get_finished_spans()] == ["work"]
    assert exporter.get_finished_spans()[0].resource.attributes["service.name"] == "mcsvc"
