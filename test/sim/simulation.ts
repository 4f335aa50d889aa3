/**
 * One pool's life from a seed: operations and faults, then rest, then judgement. The same seed gives
 * the same trace, message for message.
 */
import './small-limits.ts'
import { growOld } from './ageing.ts'
import { Faults } from './faults.ts'
import { Operations } from './operations.ts'
import { drawOperation, drawProfile, type Asked, type Profile } from './profile.ts'
import { Properties } from './properties.ts'
import { PropertyBroken, Scene } from './scene.ts'
import { SeededRandom } from './seeded-random.ts'
import { byName } from './tally.ts'

export interface SimulationOptions extends Asked {
  seed: number
  onLine?: ((line: string) => void) | undefined
}

export interface Report {
  seed: number
  profile: Profile
  trace: string
  /** Virtual milliseconds. */
  elapsedMs: number
  counts: Record<string, number>
  /** The property that did not hold. */
  broken?: { property: string; what: string }
}

/** Operations under way at once, at most. */
const mostRunning = 40
/** An operation that has no answer after this long has hung. */
const answerMs = 20 * 60_000

export async function simulate(options: SimulationOptions): Promise<Report> {
  const random = new SeededRandom(options.seed)
  const profile = drawProfile(random.fork(), options)
  const scene = new Scene(profile, random.fork(), options.onLine)
  try {
    await live(scene, random.fork())
  } catch (error) {
    scene.fail(error as Error)
  }
  for (const peer of scene.peers) peer.crash({ power: false })
  // What a crash interrupts still ends, somewhere in the dead program, before its memory goes.
  await scene.clock.advance(0)
  for (const peer of scene.peers) peer.release()
  return report(options.seed, scene)
}

async function live(scene: Scene, random: SeededRandom): Promise<void> {
  const operations = new Operations(scene)
  const faults = new Faults(scene)
  const properties = new Properties(scene)
  await scene.begin()
  await disturbed(scene, random, operations, faults)
  if (scene.broken !== undefined) return
  await faults.heal()
  await scene.clock.until(operations.settled(), answerMs)
  await properties.comeToRest()
  await properties.check()
  if (scene.profile.growsOld && scene.broken === undefined) await growOld(scene)
}

async function disturbed(
  scene: Scene,
  random: SeededRandom,
  operations: Operations,
  faults: Faults,
): Promise<void> {
  const { profile, clock } = scene
  const due = [...profile.faults]
  for (let done = 0; done < profile.operations && scene.broken === undefined; done++) {
    while (due.length > 0 && due[0]!.before <= done) faults.begin(due.shift()!.kind)
    while (!operations.begin(drawOperation(random, profile.weights))) await clock.advance(1_000)
    if (random.chance(1 / profile.burst)) {
      await clock.advance(random.number() * 2 * profile.pauseMs)
      scene.checkQuotas()
    } else await clock.advance(random.pick([0, 0, 1, 5, 30]))
    while (operations.running > mostRunning) await clock.advance(1_000)
  }
}

function report(seed: number, scene: Scene): Report {
  const { broken, profile, trace, clock } = scene
  return {
    seed,
    profile,
    trace,
    elapsedMs: Math.round(clock.monotonicMs()),
    counts: Object.fromEntries([...scene.counts].sort(byName)),
    ...(broken !== undefined && {
      broken: {
        property: broken instanceof PropertyBroken ? broken.property : 'the simulation runs to its end',
        what: broken instanceof PropertyBroken ? broken.message : (broken.stack ?? broken.message),
      },
    }),
  }
}
