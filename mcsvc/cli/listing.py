"""`mcsvc list`: simulations, newest first, page by page."""

from __future__ import annotations

import shlex
from argparse import Namespace

from mcsvc.cli import arguments, client, render
from montecarlo.v1.simulation_service_pb2 import ListSimulationsRequest, ListSimulationsResponse

_WIDTH = 200  # a line a simulation: a narrower terminal folds it rather than losing what is in it


def run(args: Namespace) -> int:
    """Print one page, or with --all every page."""
    page = fetch(args)
    if args.output == "json":
        render.print_json(page)
        return 0
    console = render.stdout(width=_WIDTH)
    body = render.overview(list(page.simulations)) if page.simulations else "No simulations."
    console.print(body)
    if page.next_page_token:
        same = f"list --filter {shlex.quote(args.filter)}" if args.filter else "list"
        same += f" --page-size {args.page_size}" if args.page_size else ""
        following = arguments.again(f"{same} --page-token {page.next_page_token}", args.server)
        console.print(f"more: {following}", soft_wrap=True, highlight=False)
    return 0


def fetch(args: Namespace) -> ListSimulationsResponse:
    """The page asked for; with --all, all pages as one."""
    request = ListSimulationsRequest(filter=args.filter, page_size=args.page_size, page_token=args.page_token)
    with client.service(args.server) as stub:
        page = stub.ListSimulations(request, timeout=client.TIMEOUT_S)
        while args.all and page.next_page_token:
            request.page_token = page.next_page_token
            following = stub.ListSimulations(request, timeout=client.TIMEOUT_S)
            page.simulations.extend(following.simulations)
            page.next_page_token = following.next_page_token
        return page
