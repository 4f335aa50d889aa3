/** The command line: finds the command, loads only that one, and turns every outcome into an exit code. */
import { Command, CommanderError } from 'commander'
import { asPeerStorError, fail } from '../base/errors.ts'
import { type CommandEntry, aliases, commands } from './commands.ts'
import { type Act, type Common, Context } from './context.ts'
import { Output } from './output.ts'

export const exitInterrupted = 130

/** Runs one command line; resolves to the exit code. */
export async function runProgram(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const act: Act =
    (handler) =>
    async (...all) => {
      const command = all.pop() as Command
      // Commander calls with the arguments, the options and the command; handlers take the first two.
      const context = new Context(command.optsWithGlobals<Common>(), signal)
      await handler(context, ...(all as never))
    }
  try {
    const program = await buildProgram(argv, act)
    await program.parseAsync(argv, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (thrown) {
    return report(thrown, argv, signal)
  }
}

async function buildProgram(argv: readonly string[], act: Act): Promise<Command> {
  const program = new Command('peerstor')
    .description('One private, encrypted, self-healing file store from the devices you already own.')
    .helpCommand('help [command]', 'explain a command')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      'after',
      '\nBegin with: peerstor start\nSizes: 5GB is 5 x 2^30 bytes. Paths are FOLDER/PATH, such as files/photos/cat.jpg.',
    )
  withCommon(program)
  const chosen = namesIn(argv)
  for (const [name, entry] of Object.entries(commands))
    await addCommand(program, name, entry, chosen.has(name), act)
  return program
}

/** The commands that the arguments may mean: the first word, or the one after `help`. */
function namesIn(argv: readonly string[]): Set<string> {
  const words = argv.filter((word) => !word.startsWith('-'))
  return new Set(words.map((word) => aliases[word] ?? word))
}

async function addCommand(
  program: Command,
  name: string,
  entry: CommandEntry,
  isChosen: boolean,
  act: Act,
): Promise<void> {
  const command = program.command(name).description(entry.summary).exitOverride()
  for (const [alias, of] of Object.entries(aliases)) if (of === name) command.alias(alias)
  if (!isChosen) return
  const { build } = await entry.load()
  build(command, act)
  settle(command)
}

/** Options and error handling that every command and subcommand shares. */
function settle(command: Command): void {
  withCommon(command)
  command.showSuggestionAfterError().exitOverride()
  command.configureOutput({ outputError: () => undefined })
  command.commands.forEach(settle)
}

function withCommon(command: Command): void {
  command
    .option('--home <DIR>', 'which peer: its keys, database and settings')
    .option('--json', 'print JSON')
    .option('--quiet', 'print nothing but errors')
}

function report(thrown: unknown, argv: readonly string[], signal: AbortSignal): number {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0
  const out = new Output({ json: argv.includes('--json'), quiet: argv.includes('--quiet') })
  const error = thrown instanceof CommanderError ? usageError(thrown) : asPeerStorError(thrown)
  // A refusal that arrives after Ctrl+C is a consequence of it.
  if (signal.aborted) {
    out.problem(fail('INTERRUPTED', { what: 'the command' }))
    return exitInterrupted
  }
  // `peerstor` alone shows its help: that is no error text, yet no success either.
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return error.exit
  out.problem(error)
  return error.exit
}

function usageError(thrown: CommanderError): ReturnType<typeof fail> {
  const reason = thrown.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')
  return fail('BAD_USAGE', { reason }, thrown)
}
