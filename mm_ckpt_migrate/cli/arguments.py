"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FamilyArgument = Annotated[
    str,
    typer.Argument(
        metavar="FAMILY", help="1 or maskformer, 2 or mask2former, or auto to let keys and config decide."
    ),
]
ConfigArgument = Annotated[
    str,
    typer.Argument(
        metavar="CFG",
        help="Target config: a path, the name of one that mmseg or mmdet ships, or `embedded` for "
        "the one inside OLD. One for the old release is migrated on the way. With --no-build it is "
        "not read and may be `-`.",
    ),
]
OldArgument = Annotated[Path, typer.Argument(metavar="OLD", help="The old checkpoint. Never written.")]
NewArgument = Annotated[Path, typer.Argument(metavar="NEW", help="The file to make.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
NoBuildOption = Annotated[
    bool, typer.Option("--no-build", help="Leave the target model out; its rungs are shown as skipped.")
]
ForceFamilyOption = Annotated[
    bool, typer.Option("--force-family", help="Use FAMILY even where the checkpoint contradicts it.")
]
PlanOption = Annotated[
    Path | None, typer.Option("--plan", metavar="FILE", help="Save the table old name to new name as JSON.")
]
NoCrcOption = Annotated[
    bool, typer.Option("--no-crc", help="Accept a zip file that was saved without checksums.")
]
KeepOpaqueOption = Annotated[
    bool,
    typer.Option(
        "--keep-opaque", help="Carry over objects of unknown classes. Whoever loads them runs them."
    ),
]
AllowImportOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-import", metavar="PACKAGE", help="A package that the config may import. Repeatable."
    ),
]
AllowUnconfinedOption = Annotated[
    bool,
    typer.Option(
        "--allow-unconfined",
        help="Build the config inside a checkpoint even where the system cannot confine the code that does.",
    ),
]
RulesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="A rule file beside the installed ones, such as `derive` proposes. Repeatable.",
    ),
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Build the target model even where its schema is known.")
]
DataRootOption = Annotated[
    Path | None, typer.Option("--data-root", metavar="DIR", help="Where the data set lies.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="Where models compute: cpu, cuda, cuda:1, ...")]
LegacyPythonOption = Annotated[
    Path | None, typer.Option("--legacy-python", metavar="PATH", help="A Python with an old release.")
]
