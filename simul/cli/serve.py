"""`simul serve`: the live-translation server."""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import replace
from importlib.metadata import version

from simul.cli.build import add_session_options
from simul.cli.context import Context
from simul.cli.options import Parser
from simul.config import ModelConfig, StreamOptions
from simul.errors import ExitCode, UsageError
from simul.install import install_hint
from simul.languages import OR
from simul.options import add_options, from_namespace


def parser() -> Parser:
    """The options of the command."""
    from server.options import ServeOptions

    p = Parser(
        "serve",
        "Serve live translation over WebSockets: a page for browsers, and protocols of other servers.",
    )
    add_options(p, ServeOptions, "server")
    p.add_argument(
        "--check", action="store_true", help="load the model, say whether the options can be used, and stop"
    )
    add_session_options(p)
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    from server.options import ServeOptions

    given = parser().parse(arguments, context)
    options = from_namespace(ServeOptions, given)
    stream, model = from_namespace(StreamOptions, given), from_namespace(ModelConfig, given)
    if importlib.util.find_spec("websockets") is None:
        raise UsageError(f"The server needs websockets: {install_hint('serve')}.")
    if options.engine == "ray" and importlib.util.find_spec("ray") is None:
        raise UsageError(f"--engine ray needs ray: {install_hint('ray')}.")
    from policies.registry import make_policy
    from server.run import caption_sinks, check_exposure, check_voices, offered, run_server, tls_of, tokens_of
    from server.stage.stage import Stage
    from server.workers.core import InstalledModels
    from server.workers.process import InstalledModelsFactory

    make_policy(stream.policy, stream.policy_arguments())
    check_exposure(options)
    model = replace(model, threads=model.threads or 1)
    if options.pair:
        stream = replace(stream, source=OR.join(options.pair), target=OR.join(options.pair))
    if options.stage:
        stream = replace(stream, target=stream.source)
    check_voices(options)
    if given.check:
        tokens_of(options.token_file)
        tls_of(options)
        caption_sinks(options, Stage(offered(options, stream.source), lambda *job: None), context.note)
        said = InstalledModels(stream, model, context.load_backend).load()
        context.note(f"The options can be used. {said.description}")
        return ExitCode.OK
    models = InstalledModelsFactory(stream, model)
    gpus = int(model.device == "cuda")
    asyncio.run(run_server(options, stream, models, context.note, version("simul"), gpus))
    return ExitCode.OK
