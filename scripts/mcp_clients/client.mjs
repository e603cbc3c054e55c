// Drives a server of the Model Context Protocol with the protocol's own clients for TypeScript, and prints what came of it as JSON.
//
//     node client.mjs MODE COMMAND [ARG ...]
//     node client.mjs MODE URL
//
// MODE is `auto`, `legacy` or `pin` for the client of the revision 2026-07-28, or `sdk` for the one of before. Of the tools of
// test/support/mcp_fixture.ex it calls some, where they are there. `setup` fetches what it needs.

import * as modern from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as LegacyHTTP } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'

const [mode, first, ...rest] = process.argv.slice(2)
const url = first.startsWith('http') ? new URL(first) : undefined
const info = { name: 'ambix-test', version: '1.0.0' }
const command = { command: first, args: rest, env: process.env }
const elicited = async () => ({ action: 'accept', content: { name: 'Ada' } })

function legacyClient() {
  const client = new LegacyClient(info, { capabilities: { elicitation: {} } })
  client.setRequestHandler(ElicitRequestSchema, elicited)
  return [client, url ? new LegacyHTTP(url) : new LegacyStdio(command)]
}

function modernClient() {
  const negotiation = { mode: mode === 'pin' ? { pin: '2026-07-28' } : mode }
  const client = new modern.Client(info, { capabilities: { elicitation: { form: {} } }, versionNegotiation: negotiation })
  client.setRequestHandler('elicitation/create', elicited)
  return [client, url ? new modern.StreamableHTTPClientTransport(url) : new StdioClientTransport(command)]
}

const [client, transport] = mode === 'sdk' ? legacyClient() : modernClient()
const texts = result => result.content.map(part => part.text)

async function call(name, args = {}, options = undefined) {
  const params = { name, arguments: args }
  return mode === 'sdk' ? client.callTool(params, undefined, options) : client.callTool(params, options)
}

await client.connect(transport)
const said = { server: client.getServerVersion()?.name, instructions: client.getInstructions() ?? null }
said.tools = (await client.listTools()).tools.map(tool => tool.name)

if (said.tools.includes('test_simple_text')) {
  said.text = texts(await call('test_simple_text'))
  said.error = (await call('test_error_handling')).isError
  said.progress = []
  await call('test_tool_with_progress', {}, { onprogress: step => said.progress.push([step.progress, step.total]) })
  said.elicited = texts(await call('test_input_required_result_elicitation'))
  said.resources = (await client.listResources()).resources.map(resource => resource.uri)
  said.read = (await client.readResource({ uri: 'test://static-text' })).contents[0].text
  said.prompts = (await client.listPrompts()).prompts.length
  const answers = await Promise.all([...Array(100).keys()].map(n => call('greet', { name: `${n}` })))
  said.many = answers.every((answer, n) => texts(answer)[0] === `Hello, ${n}!`)
}

console.log(JSON.stringify(said))
await client.close()
process.exit(0)
