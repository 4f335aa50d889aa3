/** What a peer counted since its start: as JSON, for Prometheus, for people (contract.md). */
import { timeText } from '../base/clock.ts'
import { asPeerStorError, catalogue, type ErrorCode } from '../base/errors.ts'
import type { Connection, Network } from '../net/network.ts'
import type { Core } from './create-core.ts'

export type FileCount = 'stored' | 'retrieved' | 'deleted'

/** What is measured when somebody asks. */
export interface Measured {
  connections: readonly Connection[]
  usedBytes: number
  totalBytes: number
  /** Since the start. */
  scrubbed: { checkedBytes: number; found: number; healed: number }
  /** Chunks with wrong bytes that no good copy has replaced. */
  damaged: number
  /** Passes of collection since the start, what they dropped, and seconds they took. */
  collected: { passes: number; chunks: number; bytes: number; seconds: number }
  /** Bytes of chunks that nothing needs. */
  quarantinedBytes: number
  uptimeSeconds: number
  /** Wall milliseconds. */
  startedAt: number
}

/** What a pool that is open, or not, gives to measure. */
export function measured(
  core: Core | undefined,
  network: Pick<Network, 'connections'>,
  since: { startedAt: number; uptime: () => number },
): Measured {
  return {
    connections: network.connections(),
    usedBytes: core?.used() ?? 0,
    totalBytes: core?.contributed() ?? 0,
    scrubbed: core?.pool.scrubbed() ?? { checkedBytes: 0, found: 0, healed: 0 },
    damaged: core?.store.verifier.quarantined().length ?? 0,
    collected: core?.collection.total ?? { passes: 0, chunks: 0, bytes: 0, seconds: 0 },
    quarantinedBytes: core?.store.read.looseChunks().bytes ?? 0,
    uptimeSeconds: since.uptime(),
    startedAt: since.startedAt,
  }
}

export class Metrics {
  readonly #files: Record<FileCount, number> = { stored: 0, retrieved: 0, deleted: 0 }
  readonly #errors = new Map<ErrorCode, number>()
  /** Bytes of connections that ended. */
  #sent = 0
  #received = 0

  count(what: FileCount, by = 1): void {
    this.#files[what] += by
  }

  countError(thrown: unknown): void {
    const { code } = asPeerStorError(thrown)
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1)
  }

  /** A connection ended: its bytes stay counted. */
  countEnded(carried: { sentBytes?: number | undefined; receivedBytes?: number | undefined }): void {
    this.#sent += carried.sentBytes ?? 0
    this.#received += carried.receivedBytes ?? 0
  }

  /** In the three forms, measured when one is asked for. */
  told(measured: () => Measured): { json(): unknown; prometheus(): string; human(): string } {
    return {
      json: () => this.json(measured()),
      prometheus: () => this.prometheus(measured()),
      human: () => this.human(measured()),
    }
  }

  json(measured: Measured) {
    const { connections, usedBytes, totalBytes, uptimeSeconds, startedAt } = measured
    const errors = [...this.#errors.values()].reduce((sum, count) => sum + count, 0)
    return {
      files: { ...this.#files },
      network: {
        sent_bytes: connections.reduce((sum, { sentBytes }) => sum + sentBytes, this.#sent),
        received_bytes: connections.reduce((sum, { receivedBytes }) => sum + receivedBytes, this.#received),
        peers: connections.length,
      },
      storage: {
        used_bytes: usedBytes,
        total_bytes: totalBytes,
        used_ratio: totalBytes === 0 ? 0 : usedBytes / totalBytes,
      },
      system: { errors, uptime_seconds: uptimeSeconds, started: timeText(startedAt) },
    }
  }

  prometheus(measured: Measured): string {
    const { files, network, storage, system } = this.json(measured)
    const { scrubbed, damaged, collected, quarantinedBytes } = measured
    const errors = (Object.keys(catalogue) as ErrorCode[]).map(
      (code) => `peerstor_errors_total{code="${code}"} ${this.#errors.get(code) ?? 0}`,
    )
    return [
      ...series('files_stored_total', 'counter', 'Files stored since the start', files.stored),
      ...series('files_retrieved_total', 'counter', 'Files read since the start', files.retrieved),
      ...series('files_deleted_total', 'counter', 'Files removed since the start', files.deleted),
      ...series('sent_bytes_total', 'counter', 'Bytes sent to other peers', network.sent_bytes),
      ...series('received_bytes_total', 'counter', 'Bytes received from other peers', network.received_bytes),
      ...series('peers_connected', 'gauge', 'Peers connected now', network.peers),
      ...series('storage_used_bytes', 'gauge', 'Bytes of chunks kept here', storage.used_bytes),
      ...series('storage_total_bytes', 'gauge', 'Bytes that may be kept here', storage.total_bytes),
      ...series('storage_used_ratio', 'gauge', 'Used share of what may be kept, 0 to 1', storage.used_ratio),
      ...series('scrub_checked_bytes_total', 'counter', 'Bytes read and compared', scrubbed.checkedBytes),
      ...series('scrub_damaged_total', 'counter', 'Damage found on this disk', scrubbed.found),
      ...series('scrub_healed_total', 'counter', 'Damage that was mended', scrubbed.healed),
      ...series('chunks_damaged', 'gauge', 'Damaged chunks without a good copy', damaged),
      ...series('collect_passes_total', 'counter', 'Passes of collection', collected.passes),
      ...series('collect_chunks_total', 'counter', 'Chunks dropped that nothing needed', collected.chunks),
      ...series('collect_bytes_total', 'counter', 'Bytes of them', collected.bytes),
      ...series('collect_seconds_total', 'counter', 'Time that collection took', collected.seconds),
      ...series('quarantined_bytes', 'gauge', 'Bytes of chunks that nothing needs', quarantinedBytes),
      ...series('uptime_seconds', 'gauge', 'Seconds since the start', system.uptime_seconds),
      '# HELP peerstor_errors_total Errors by code',
      '# TYPE peerstor_errors_total counter',
      ...errors,
      '',
    ].join('\n')
  }

  human(measured: Measured): string {
    const groups = Object.entries(this.json(measured)) as [string, Record<string, string | number>][]
    return groups
      .flatMap(([group, values]) => [
        `${group}:`,
        ...Object.entries(values).map(([name, value]) => `  ${name.replaceAll('_', ' ')}: ${value}`),
      ])
      .join('\n')
      .concat('\n')
  }
}

function series(name: string, type: 'counter' | 'gauge', help: string, value: number): string[] {
  return [`# HELP peerstor_${name} ${help}`, `# TYPE peerstor_${name} ${type}`, `peerstor_${name} ${value}`]
}
