"""What containers of the project run, and where: compose services and Dockerfiles."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from devkit.settings.evidence.compose_service import ComposeService
from devkit.settings.evidence.dockerfile import Dockerfile, Stage, dockerfiles, read_dockerfile
from devkit.settings.evidence.piece import Piece
from devkit.settings.evidence.places import places
from devkit.settings.evidence.variables import Variable, file_variables
from devkit.settings.evidence.where import Where

# Images that serve an app when they are told nothing, and how they are told.
_SERVES = ("tiangolo/uvicorn-gunicorn", "tiangolo/uvicorn-gunicorn-fastapi")


def service_variables(service: ComposeService) -> tuple[Variable, ...]:
    """What a service's container has for its own: its env files in their order, and above them `environment`."""
    every = [one for file in service.env_files for one in file_variables(file)] + [*service.environment]
    return tuple({one.name: one for one in every}.values())


def image(service: ComposeService, among: Iterable[ComposeService] = ()) -> tuple[Dockerfile, Stage, Path] | None:
    """The Dockerfile that a service's image is made by, the stage, and the build context; None where none is.

    One that has only the image's name may use what another service builds under it.
    """
    builder = service
    if not service.context and service.image:
        same = (one for one in among if one.image == service.image and one.context and one.file == service.file)
        builder = next(same, service)
    if not builder.context:
        return None
    found = read_dockerfile(builder.context / (builder.dockerfile or "Dockerfile"))
    if not found:
        return None
    stage = next(
        (one for one in found.stages if builder.target and one.name == builder.target.lower()), found.stages[-1]
    )
    return found, stage, builder.context


def of_service(service: ComposeService, among: Sequence[ComposeService], root: Path) -> Iterator[tuple[Piece, Where]]:
    """The command of its container: its own, else its image's."""
    made = image(service, among)
    stage = made[1] if made else Stage("", service.image)
    entrypoint = tuple(service.entrypoint) or stage.entrypoint
    command = tuple(service.command) or (() if service.entrypoint else stage.command)
    file, line = service.file, service.line
    if made and not service.command and not service.entrypoint:
        file, line = made[0].file, stage.command_line or stage.entrypoint_line or 1
    environ = {**stage.values, **{one.name: one.value for one in service_variables(service)}}
    where = _inside(
        Where(
            file,
            (),
            environ=environ,
            service=service.name,
            places=places(service.mounts, stage.copies, made and made[2]),
        ),
        service.working_dir or stage.workdir,
        (*filter(None, [service.context or (made and made[2])]), *(here for here, _ in service.mounts), root),
    )
    if words := (*entrypoint, *command) or _served(stage, environ):
        yield Piece(words, line, service.name), where


def of_dockerfile(dockerfile: Dockerfile, root: Path) -> Iterator[tuple[Piece, Where]]:
    """The commands of its stages, the last first: that is the one which is made where nobody asks for another."""
    context = _context(dockerfile, root)
    for stage in reversed(dockerfile.stages):
        where = _inside(
            Where(dockerfile.file, (), environ=stage.values, places=places((), stage.copies, context)),
            stage.workdir,
            (context, dockerfile.file.parent, root),
        )
        if words := (*stage.entrypoint, *stage.command) or _served(stage, stage.values):
            yield Piece(words, stage.command_line or stage.entrypoint_line or 1), where


def of_dockerfiles(root: Path) -> Iterator[tuple[Piece, Where]]:
    return (found for dockerfile in dockerfiles(root) for found in of_dockerfile(dockerfile, root))


def _inside(where: Where, inside: str, besides: Iterable[Path]) -> Where:
    outside = where.places.outside(inside)
    return Where(
        where.file,
        (outside,) if outside else (),
        tuple(dict.fromkeys(besides)),
        where.environ,
        where.service,
        inside,
        where.places,
    )


def _context(dockerfile: Dockerfile, root: Path) -> Path:
    """The folder that it is most likely built from: most of what it copies is there."""
    near = [folder for folder in (dockerfile.file.parent, *dockerfile.file.parents) if folder.is_relative_to(root)]
    sources = [source for stage in dockerfile.stages for copy in stage.copies for source in copy.sources]

    def found(folder: Path) -> int:
        return sum(1 for source in sources if source not in (".", "./") and (folder / source.lstrip("/")).exists())

    return max(near, key=found, default=root)


def _served(stage: Stage, environ: dict[str, str]) -> tuple[str, ...]:
    """The command of an image that serves whatever app it finds."""
    if not stage.image.partition(":")[0].startswith(_SERVES):
        return ()
    module, name = environ.get("MODULE_NAME", "app.main"), environ.get("VARIABLE_NAME", "app")
    return ("gunicorn", "-k", "uvicorn.workers.UvicornWorker", environ.get("APP_MODULE") or f"{module}:{name}")
