#!/usr/bin/env python3
"""Drives a server of the Model Context Protocol with the protocol's own Python client, and prints what came of it as JSON.

    client.py MODE COMMAND [ARG ...]
    client.py MODE URL

MODE is `auto`, `legacy` or a revision such as `2026-07-28`. Of the tools of test/support/mcp_fixture.ex it calls some, where they are there.
`setup` fetches what it needs.
"""

import asyncio
import json
import sys

import mcp_types as types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client


def texts(result):
    return [part.text for part in result.content if part.type == "text"]


async def elicited(_context, params):
    properties = params.requested_schema.get("properties", {})
    return types.ElicitResult(action="accept", content={name: "Ada" for name in properties})


async def drive(target, mode):
    progress = []

    async def told(done, total, message):
        progress.append([done, total])

    said = {}
    async with Client(target, mode=mode, elicitation_callback=elicited) as client:
        said["version"] = client.protocol_version
        # Known only to a client that has asked for it.
        said["server"] = client.server_info and client.server_info.name
        said["instructions"] = client.instructions
        names = [tool.name for tool in (await client.list_tools()).tools]
        said["tools"] = names
        if "test_simple_text" in names:
            said["text"] = texts(await client.call_tool("test_simple_text", {}))
            said["error"] = (await client.call_tool("test_error_handling", {})).is_error
            await client.call_tool("test_tool_with_progress", {}, progress_callback=told)
            said["progress"] = progress
            said["elicited"] = texts(await client.call_tool("test_input_required_result_elicitation", {}))
            said["resources"] = [str(resource.uri) for resource in (await client.list_resources()).resources]
            said["read"] = (await client.read_resource("test://static-text")).contents[0].text
            said["prompts"] = len((await client.list_prompts()).prompts)
            answers = await asyncio.gather(*[client.call_tool("greet", {"name": str(n)}) for n in range(100)])
            said["many"] = [texts(answer) for answer in answers] == [[f"Hello, {n}!"] for n in range(100)]
    return said


async def main():
    mode, first, *rest = sys.argv[1:]
    if first.startswith("http"):
        target = first
    else:
        target = stdio_client(StdioServerParameters(command=first, args=rest))
    print(json.dumps(await asyncio.wait_for(drive(target, mode), 120)))


asyncio.run(main())
