"""`mcsvc trigger`: ask for a simulation, of an account in the Core Service or of trades and rules in a file."""

from __future__ import annotations

from argparse import Namespace

from mcsvc.cli import client, render, watching
from mcsvc.cli.report import print_report
from mcsvc.cli.running import USAGE, CliError
from montecarlo.v1 import simulation_pb2 as pb
from montecarlo.v1.settings_pb2 import ResamplingModel, SimulationSettings
from montecarlo.v1.simulation_service_pb2 import TriggerSimulationRequest
from montecarlo.v1.simulation_service_pb2_grpc import SimulationServiceStub
from riskio import files, options


def run(args: Namespace) -> int:
    """Trigger and print the job; with --watch follow it and print its report."""
    request = to_request(args)
    with client.service(args.server, args.trades) as stub:
        simulation = stub.TriggerSimulation(request, timeout=client.TIMEOUT_S).simulation
        if args.watch:
            simulation = _followed(stub, simulation.id, args.server)
    if args.output == "json":
        render.print_json(simulation)
    elif args.watch:
        print_report(simulation, args.server, render.stdout(), trades=args.trades)
    else:
        render.stdout().print(render.summary(simulation, args.server))
    return 1 if args.watch and simulation.state != pb.SIMULATION_STATE_SUCCEEDED else 0


def _followed(stub: SimulationServiceStub, simulation_id: str, server: str) -> pb.Simulation:
    """Its final state; its id is told first, for whoever stops watching it."""
    console = render.stderr()
    console.print(f"Simulation {simulation_id}", soft_wrap=True, highlight=False)
    with watching.goes_on(simulation_id, server, console):
        return watching.follow(stub, simulation_id, server, console)


def to_request(args: Namespace) -> TriggerSimulationRequest:
    """The request that the arguments spell. Raises CliError."""
    return TriggerSimulationRequest(request_id=args.request_id, subject=_subject(args), settings=_settings(args))


def _subject(args: Namespace) -> pb.SimulationSubject:
    match bool(args.assessment), bool(args.funded_account), bool(args.trades or args.rules):
        case True, False, False:
            return pb.SimulationSubject(assessment_id=args.assessment)
        case False, True, False:
            return pb.SimulationSubject(funded_account_id=args.funded_account)
        case False, False, True if args.trades and args.rules:
            return pb.SimulationSubject(inline=_inline(args))
        case _:
            choices = "--assessment ID, --funded-account ID, or --trades CSV with --rules YAML"
            raise CliError(f"Give one of {choices}.", exit_code=USAGE)


def _inline(args: Namespace) -> pb.InlineInput:
    try:
        found = files.read_input(args.trades, args.rules)
    except files.InvalidFile as error:
        raise CliError(str(error), exit_code=USAGE) from None
    except OSError as error:
        raise CliError(f"Cannot read {error.filename}: {error.strerror}.", exit_code=USAGE) from None
    account = found.account if found.HasField("account") else None
    return pb.InlineInput(trades=found.trades, rules=found.rules, account=account)


def _settings(args: Namespace) -> SimulationSettings:
    name = args.model.upper().replace("-", "_") if args.model else "UNSPECIFIED"
    found = SimulationSettings(
        paths=args.paths,
        horizon_days=args.horizon_days,
        model=ResamplingModel.Value(f"RESAMPLING_MODEL_{name}"),
        trades_per_day=args.trades_per_day,
        block_length=args.block_length,
        seed=args.seed,
    )
    options.apply(args, found)
    return found
