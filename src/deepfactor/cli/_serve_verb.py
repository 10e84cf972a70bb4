"""The verb of the workbench: serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfactor.cli.helping import Verb
from deepfactor.cli.language import in_chinese
from deepfactor.cli.options import Json, Language, LanguageOption, MarketOption, app, show
from deepfactor.core.errors import UserError
from deepfactor.core.optional import optional_package

if TYPE_CHECKING:
    from deepfactor.workbench.guard import Pass


@app.command(cls=Verb)
def serve(
    runs: Annotated[Path, typer.Argument(help="runs folder, the --out of deepfactor run")],
    market: MarketOption,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 = any free one")] = 8765,
    write: Annotated[bool, typer.Option("--write", help="let it start and stop runs; without it only reads")] = False,
    language: LanguageOption = Language.EN,
    as_json: Json = False,
) -> None:
    """A workbench in the browser, on this machine alone: runs, a day's walk, solving again, jobs, data audit."""
    for package in ("starlette", "uvicorn"):
        optional_package(package, UserError("serve needs starlette and uvicorn: pip install 'deepfactor[serve]'"))
    from deepfactor.workbench.server import serve as serve_folder

    def tell(allowed: Pass) -> None:
        lines = (f"workbench: {allowed.link}", "the link lets in whoever has it; Ctrl-C ends")
        show({"link": allowed.link, "port": allowed.port, "write": write}, as_json, *lines)

    serve_folder(runs, market, tell, port=port, write=write, language=language, chinese=in_chinese)
