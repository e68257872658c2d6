/** What a MemoryVenus says of its servers and its volume: they are names that can be disconnected from. */
import { Failure, type ConflictPolicy } from '../../vice/interface/index.js';
import type { PendingChange, VenusState, VolumeMode } from '../interface.js';

const volumeName = 'root';

export class MemoryServers {
  readonly #names: readonly string[];
  readonly #planned = new Set<string>();
  #mode: VolumeMode = 'write-through';

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** Whether changes are acknowledged by the log alone. */
  get isLogging(): boolean {
    return this.#isCutOff || this.#mode === 'write-disconnected';
  }

  /** @throws Failure not-found */
  plan(servers: readonly string[], planned: boolean): void {
    for (const name of servers) {
      if (this.#names.includes(name)) continue;
      const message = `the realm has no server "${name}"; it has ${this.#names.join(', ')}`;
      throw new Failure('not-found', 'memory.disconnect', message);
    }
    for (const name of servers.length === 0 ? this.#names : servers) {
      if (planned) this.#planned.add(name);
      else this.#planned.delete(name);
    }
  }

  /** @throws Failure not-found */
  setMode(volume: string | null, mode: VolumeMode): void {
    if (volume !== null && volume !== volumeName) {
      throw new Failure(
        'not-found',
        'memory.mode',
        `the realm has no volume "${volume}"; it has ${volumeName}`,
      );
    }
    this.#mode = mode;
  }

  state(
    conflicts: ConflictPolicy,
    venus: string,
    volume: string,
    changes: readonly PendingChange[],
  ): VenusState {
    const records = changes.filter(({ state }) => state !== 'kept').flatMap((change) => change.records);
    const reached = this.#names.filter((name) => !this.#planned.has(name));
    return {
      venus,
      servers: this.#names.map((name) => {
        const planned = this.#planned.has(name);
        return { name, address: `memory:${name}`, reachable: !planned, silence: planned ? null : 0, planned };
      }),
      volumes: [
        {
          id: volume,
          name: volumeName,
          path: [],
          hidesNames: false,
          state: this.#isCutOff ? 'emulating' : this.isLogging ? 'write-disconnected' : 'hoarding',
          vsg: this.#names,
          avsg: reached,
          preferred: reached[0] ?? null,
          pendingRecords: records.length,
          pendingBytes: records.reduce((sum, { length }) => sum + (length ?? 0), 0),
          limitRecords: 100_000,
          limitBytes: 2 ** 30,
          oldestPending: changes.find(({ state }) => state !== 'kept')?.time ?? null,
          keptRecords: changes.filter(({ state }) => state === 'kept').flatMap((change) => change.records)
            .length,
          mode: this.#mode,
          conflicts,
          weak: false,
          replay: null,
          awaitedLogins: [],
          lastError: null,
        },
      ],
      deletedVolumes: [],
      cache: { objects: 0, containers: 0, bytes: 0 },
    };
  }

  get #isCutOff(): boolean {
    return this.#names.length > 0 && this.#planned.size === this.#names.length;
  }
}
