"""The commands, put together. The order is the order of the help."""

from __future__ import annotations

import typer

from cli import (
    approve,
    audit,
    bench,
    check,
    data,
    demo,
    evidence,
    invoke,
    labels,
    lock,
    logs,
    monitor,
    push,
    rollback,
    status,
    test,
    traffic,
    up,
)

app = typer.Typer(
    name="road",
    help="From git push to production on Amazon SageMaker, and the same road whole on one laptop.",
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(demo.demo)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(test.test)
app.command()(up.up)
app.command()(up.env)
app.command()(up.down)
app.add_typer(data.app, name="data")
app.command()(push.push)
app.command()(status.status)
app.command("approve")(approve.approve)
app.command()(approve.reject)
app.command()(rollback.rollback)
app.command()(evidence.evidence)
app.command()(audit.audit)
app.command()(invoke.invoke)
app.command()(traffic.traffic)
app.add_typer(labels.app, name="labels")
app.command()(monitor.monitor)
app.command()(logs.logs)
app.command()(check.check)
app.command()(lock.lock)
app.command()(bench.bench)
