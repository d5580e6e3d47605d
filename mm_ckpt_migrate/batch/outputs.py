"""Check that the reports of a batch replace nobody else's files."""

from __future__ import annotations

from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.publish import TABLE, ZOO
from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.outputs import Output, check_outputs


def check(batch: Batch, *, page: bool) -> None:
    """Make sure, before any work, that its reports may be written.

    Those of an earlier batch are replaced; other files of these names only by force, and what
    the batch reads never.

    Args:
        page: whether there will be one for people.

    Raises:
        DestinationError: one of them must not or cannot be written.
    """
    ours = batch.force or batch.state.is_dir()
    names = [batch.report.name]
    names += [batch.report.with_suffix(".html").name] if page else []
    names += [f"{TABLE}{batch.suffix}.csv"] if batch.options.publish else []
    check_outputs(
        [Output("NEW_DIR", batch.results / name, ours, makes_folder=True) for name in names],
        lambda: {"what the batch reads": batch.reads},
    )
    pages = batch.results / ZOO
    if not batch.options.publish or batch.zoo is None:
        return
    if pages.exists() and not ours:
        raise DestinationError(
            pages,
            "it is there, and no batch made it",
            hint="Choose another folder for the results, or add --force.",
        )
    if batch.zoo.resolve().is_relative_to(pages.resolve()):
        raise DestinationError(
            pages, "the zoo lies in it, which is never written", hint="Choose another folder."
        )
