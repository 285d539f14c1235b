// Plays Discord for one test: the npm package discord-digital-twin, on 127.0.0.1 only.
//
//	node twin.mjs FOLDER
//
// FOLDER holds node_modules. The first line on standard output says where it is and
// who is there; after that each line on standard input is a thing that a person does,
// as JSON, and is answered with a line: what the bot said to it. It ends when standard
// input does.
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import readline from 'node:readline'
import { pathToFileURL } from 'node:url'

// The package listens on every interface; here it may not.
const listen = http.Server.prototype.listen
http.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, { port, host: '127.0.0.1' }, ...rest)
}

const entry = path.join(process.argv[2], 'node_modules', 'discord-digital-twin', 'dist', 'index.js')
if (!fs.existsSync(entry)) {
  console.error(`no ${entry}`)
  process.exit(1)
}
const { DigitalDiscord } = await import(pathToFileURL(entry).href)

const discord = new DigitalDiscord({
  guild: { name: 'Lab' },
  channels: [{ name: 'research', type: 0 }],
  users: [{ username: 'ada' }],
  dbUrl: 'file::memory:?cache=shared',
})
await discord.start()
const channel = (await discord.prisma.channel.findFirst({ where: { name: 'research' } })).id
const user = await discord.getFirstNonBotUserId()
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')
say({ api: `${discord.restUrl}/v10`, token: discord.botToken, guild: discord.guildId, bot: discord.botUserId, channel, user })

// answer waits for what the bot says to an interaction, the answer that it put off
// included.
const deferred = [5, 6]
async function answer({ id }) {
  const ack = await discord.channel(channel).waitForInteractionAck({ interactionId: id, timeout: 10000 })
  for (let i = 0; i < 200; i++) {
    const now = await discord.channel(channel).getInteractionResponse(id)
    if (!deferred.includes(now.type) || now.messageId) {
      const message = now.messageId && (await discord.channel(channel).getMessages()).find((m) => m.id === now.messageId)
      return { type: now.type, data: now.data && JSON.parse(now.data), message }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { type: ack.type }
}

const deeds = {
  connected: async () => ({ commands: await discord.prisma.applicationCommand.findMany() }),
  slash: async ({ name, options }) => answer(await discord.channel(channel).user(user).runSlashCommand({ name, options })),
  click: async ({ message, custom_id }) => answer(await discord.channel(channel).user(user).clickButton({ messageId: message, customId: custom_id })),
  modal: async ({ custom_id, fields }) => answer(await discord.channel(channel).user(user).submitModal({ customId: custom_id, fields })),
  messages: async () => ({ messages: await discord.channel(channel).getMessages() }),
}
for await (const line of readline.createInterface({ input: process.stdin })) {
  try {
    const deed = JSON.parse(line)
    say(await deeds[deed.do](deed))
  } catch (error) {
    say({ error: String(error) })
  }
}
await discord.stop()
process.exit(0)
