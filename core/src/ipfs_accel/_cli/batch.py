"""`ipfs-accel batch`: many rows of a file, each with its line in another, whatever is cut short."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ipfs_accel.types import BatchReport, CallOptions, ChatOptions, CompleteOptions, EmbedOptions

from . import arguments, failures, kinds
from .command import Group, State, pass_state
from .output import emit, money, note, table, write_line
from .row_progress import RowProgress, failures_text, left_text
from .values import plain

if TYPE_CHECKING:
    from anyio import CancelScope

    from ipfs_accel._client.batch_runs import AsyncBatchRun
    from ipfs_accel._client.clients import AsyncClient

__all__ = ["batch"]

_output = click.argument("output", type=kinds.FILE)
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))
_GO_ON = "what is done is kept; to go on, run: ipfs-accel batch resume {}"
_OPTIONS: dict[str, Any] = {"chat": ChatOptions, "complete": CompleteOptions, "embed": EmbedOptions}
_CODES = {"max_cost": failures.LIMIT, "max_failures": failures.FAILURE, "stopped": failures.INTERRUPTED}


@click.group(
    cls=Group,
    short_help="Ask for each row of a file.",
    help="Ask for each row of a file, and write a line for each: exactly one, whatever is cut short. What is done is "
    "noted beside the output, and the same command goes on from there.",
    examples=(
        "ipfs-accel batch run prompts.jsonl answers.jsonl -m fast --concurrency 64",
        "ipfs-accel batch run reviews.csv labels.jsonl -m fast -t 'Good or bad? {review}'",
        "ipfs-accel batch status answers.jsonl",
        "ipfs-accel batch resume answers.jsonl",
    ),
)
def batch() -> None:
    """Many rows of a file."""


def _limits(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a process works on a run."""
    for option in reversed(
        (
            click.option(
                "--concurrency", type=click.IntRange(1), metavar="N", help="Rows under way at once. Default: 32."
            ),
            click.option("--max-cost", type=float, metavar="DOLLARS", help="Ask for no more rows once they cost this."),
            click.option(
                "--max-failures", type=click.IntRange(0), metavar="N", help="Ask for no more rows once more failed."
            ),
            click.option(
                "--patience",
                type=float,
                metavar="SECONDS",
                help="How long a server is asked again that has no time or cannot be reached. Default: 600.",
            ),
            click.option("--retry-failed", is_flag=True, help="Ask again for the rows that failed."),
        )
    ):
        function = option(function)
    return function


@batch.command(
    "run",
    short_help="Ask for each row, or go on with it.",
    help="Ask for each row of SOURCE and write its line to OUTPUT, which appears when all are there. Rows are JSON "
    "lines in the form of OpenAI's batches, with messages or a prompt, or with any fields that --template names; or "
    "CSV; or Parquet, by pyarrow. A line has the id of its row, and the answer or the error. Both files may be "
    "endpoint/bucket/key.\n\n"
    "Exit code 1 says that rows failed, 5 that they cost too much, 130 that it was interrupted, upon which the rows "
    "under way come to their end; others say what ended it.",
)
@click.argument("source", type=kinds.FILE)
@_output
@arguments.model_option
@click.option("--complete", "operation", flag_value="complete", help="Let the model continue the rows' prompts.")
@click.option("--embed", "operation", flag_value="embed", help="Turn the rows' texts into vectors.")
@click.option("--rerank", "operation", flag_value="rerank", help="Order the rows' documents by their queries.")
@click.option("--classify", "operation", flag_value="classify", help="Label the rows' texts.")
@click.option(
    "-t", "--template", metavar="TEXT", help="What is asked, with fields of a row, as in 'Translate: {text}'."
)
@arguments.system_option
@arguments.schema_option
@click.option("--format", type=click.Choice(["jsonl", "csv", "parquet"]), help="Of SOURCE. Default: as its name ends.")
@click.option(
    "--order",
    type=click.Choice(["input", "done"]),
    help="Lines in the order of the rows, all at the end, or as answers come. Default: input.",
)
@_limits
@click.option(
    "--dry-run", is_flag=True, help="Ask for nothing: tell how many rows there are, and what they would cost."
)
@arguments.settings_option(ChatOptions, CompleteOptions, EmbedOptions)
@arguments.extra_option
@pass_state
def run(
    state: State,
    /,
    source: str,
    output: str,
    *,
    model: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    schema: str | None,
    dry_run: bool,
    **given: Any,
) -> None:
    """Ask for each row."""
    kind = _OPTIONS.get(given["operation"] or "chat", CallOptions)
    options = arguments.parse_options(kind, settings, extra) | _said(given)
    if schema is not None:
        options["response_format"] = arguments.parse_schema(schema)
    config = state.load_config()
    arguments.check_model(model, config.default_model, "batch run SOURCE OUTPUT")
    if dry_run:
        from .batch_estimate import show_estimate  # noqa: PLC0415 - few runs are only looked at

        show_estimate(state, source, model, options)
        return
    _work(state, output, lambda client: client.batch_run(model, source, output, **options))


@batch.command(
    "resume",
    short_help="Go on with a run.",
    help="Go on with the run whose output this is, as it was begun; `batch run` with the same arguments does it too.",
)
@_output
@_limits
@pass_state
def resume(state: State, /, output: str, **given: Any) -> None:
    """Go on with a run."""
    from ipfs_accel._batch.opening import settings_of  # noqa: PLC0415 - --help reads no plan

    source, settings = settings_of(Path(output))
    options = {**settings.given(), **_said(given)}
    _work(state, output, lambda client: client.batch_run(settings.model, source, output, **options))


def _said(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that stand on the command line."""
    return {name: value for name, value in given.items() if value is not None and value is not False}


@batch.command("status", short_help="Tell how far a run is.", help="Tell how far a run is, be it under way or not.")
@_output
@pass_state
def status(state: State, output: str) -> None:
    """Tell how far a run is."""
    from ipfs_accel._batch.report import status_of  # noqa: PLC0415 - --help reads no plan

    report = status_of(Path(output))
    rows = [
        ("rows", report.rows),
        ("succeeded", report.succeeded),
        ("failed", failures_text(report) or 0),
        ("left", report.left),
        ("tokens in", report.input_tokens),
        ("tokens out", report.output_tokens),
        ("cost", None if report.cost is None else money(report.cost)),
        ("maybe paid twice", report.maybe_paid_twice),
        ("state", report.ended or ("under way" if report.under_way else "to be resumed")),
    ]
    emit(state, _document(report), lambda: table(state, ("", "run"), rows))


def _work(state: State, output: str, begin: Callable[[AsyncClient], AsyncBatchRun]) -> None:
    """Work on a run, show how far it is, and end with the exit code that tells how it ended."""
    import anyio  # noqa: PLC0415 - --help needs no event loop

    report = anyio.run(partial(_performed, state, output, begin))
    note(state, _summary(report))
    if report.left:
        note(state, _GO_ON.format(output))
    emit(state, _document(report), lambda: write_line(output) if report.ended == "complete" else None)
    code = _CODES.get(report.ended or "", failures.FAILURE if report.failed else 0)
    if code:
        raise click.exceptions.Exit(code)


async def _performed(state: State, output: str, begin: Callable[[AsyncClient], AsyncBatchRun]) -> BatchReport:
    import anyio  # noqa: PLC0415 - as above

    from ipfs_accel._client.clients import AsyncClient  # noqa: PLC0415 - as above

    report: BatchReport | None = None
    fault: Exception | None = None
    async with AsyncClient(state.load_config(), plugins=state.plugins) as client:
        found = begin(client)
        async with anyio.create_task_group() as group:
            group.start_soon(_end_by_signal, state, found, group.cancel_scope)
            group.start_soon(RowProgress(state).follow, found)
            try:
                report = await found.complete()
            except Exception as error:  # noqa: BLE001 - a task group would make a group of it
                fault = error
            group.cancel_scope.cancel()
    if report is None and found.has_begun:
        note(state, _summary(found.report))
        note(state, _GO_ON.format(output))
    if fault is not None:
        raise fault
    if report is None:
        raise KeyboardInterrupt
    return report


async def _end_by_signal(state: State, found: AsyncBatchRun, scope: CancelScope) -> None:
    """Let a run come to its end when this is asked for; the second time at once."""
    import anyio  # noqa: PLC0415 - as above

    try:
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            async for _ in signals:
                if found.is_stopped or not found.has_begun:
                    scope.cancel()
                    return
                found.stop()
                under_way = found.report.under_way
                note(state, f"{under_way} rows are under way and come to their end; interrupt again to give them up")
    except NotImplementedError:  # the loops of Windows know no signals
        return


def _document(report: BatchReport) -> dict[str, Any]:
    return {**plain(report), "left": report.left}


def _summary(report: BatchReport) -> str:
    """Return how a run ended, in a line."""
    parts = [f"{report.succeeded} of {report.rows} rows have an answer"]
    if report.failed:
        parts.append(f"{failures_text(report)} failed")
    if report.answered:
        parts.append(f"{report.rows_per_second:.0f} rows/s for {left_text(report.seconds)}")
    if report.input_tokens or report.output_tokens:
        parts.append(f"{report.input_tokens} tokens in, {report.output_tokens} out")
    if report.cost is not None:
        parts.append(money(report.cost))
    if report.maybe_paid_twice:
        parts.append(f"{report.maybe_paid_twice} may have been paid twice")
    return "; ".join(parts)
