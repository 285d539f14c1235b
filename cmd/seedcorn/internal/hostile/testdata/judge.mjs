// Drives discord.js against a Discord that is not the real one, for one test.
//
//	node judge.mjs FOLDER API TOKEN
//
// FOLDER holds node_modules. What discord.js sees is a line of JSON on standard output
// each; each line on standard input is a thing to do, as JSON, and is answered with
// {"did": …} or {"error": …}. It ends when standard input does.
import { createRequire } from 'node:module'
import path from 'node:path'
import readline from 'node:readline'

const [folder, api, token] = process.argv.slice(2)
const require = createRequire(path.join(path.resolve(folder), 'package.json'))
const { Client, Events, Routes } = require('discord.js')

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')
const options = { intents: 0, shards: 'auto', rest: { api, version: '10', timeout: 10_000 } }
const client = new Client(options)
client.on(Events.ClientReady, (c) => say({ saw: 'ready', user: c.user.id, application: c.application.id, shards: c.ws.shards.size }))
client.on(Events.ShardReady, (shard) => say({ saw: 'shard', shard }))
client.on(Events.ShardResume, (shard, replayed) => say({ saw: 'resumed', shard, replayed }))
client.on(Events.ShardError, (error, shard) => say({ saw: 'trouble', shard, error: String(error) }))
client.on(Events.Error, (error) => say({ saw: 'trouble', error: String(error) }))
client.on(Events.InteractionCreate, (i) => say({ saw: 'interaction', id: i.id, name: i.commandName, sub: i.options?.getSubcommand(false), user: i.user.id, guild: i.guildId, shard: i.client.ws.shards.size }))
client.rest.on('response', (_, response) => response.status === 429 && say({ saw: '429' }))

const asked = new Map()
client.on(Events.InteractionCreate, (i) => asked.set(i.id, i))

const deeds = {
  login: async () => void (await client.login(token)),
  refused: async () => {
    const other = new Client(options)
    try {
      await other.login('wrong')
    } catch (error) {
      return error.code ?? error.message
    } finally {
      await other.destroy()
    }
  },
  commands: async ({ commands }) => (await client.application.commands.set(commands)).map((c) => c.name),
  reply: async ({ id, content }) => void (await asked.get(id).reply({ content })),
  defer: async ({ id, content }) => {
    await asked.get(id).deferReply()
    const message = await asked.get(id).editReply({ content })
    const more = await asked.get(id).followUp({ content: `${content}, and more` })
    return [message.content, more.content]
  },
  send: async ({ channel, content, nonce }) => {
    const to = await client.channels.fetch(channel, { allowUnknownGuild: true })
    const message = await to.send({ content, nonce, enforceNonce: nonce !== undefined })
    return { id: message.id, channel: message.channelId, content: message.content, author: message.author.id, nonce: message.nonce }
  },
  read: async ({ channel }) => {
    const from = await client.channels.fetch(channel, { allowUnknownGuild: true })
    return (await from.messages.fetch({ limit: 100 })).map((m) => m.content)
  },
  edit: async ({ channel, id, content }) => (await client.rest.patch(Routes.channelMessage(channel, id), { body: { content } })).content,
  refusal: async ({ channel }) => {
    try {
      await client.rest.post(Routes.channelMessages(channel), { body: {} })
    } catch (error) {
      return `${error.status} ${error.code}`
    }
  },
}
for await (const line of readline.createInterface({ input: process.stdin })) {
  try {
    const deed = JSON.parse(line)
    say({ did: (await deeds[deed.do](deed)) ?? null })
  } catch (error) {
    say({ error: String(error) })
  }
}
await client.destroy()
process.exit(0)
