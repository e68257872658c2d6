/**
 * A realm whose gateway is killed again and again while no server runs and while its log is replayed, its writers, and
 * what was seen of them. After each restart what writers have just worked on is read; from time to time, and at the
 * end, the log must drain, and then everything is compared, also through a gateway with an empty cache.
 */
import { until } from '../program.js';
import type { WebdavClient } from '../webdav-client.js';
import { KillCount } from './kill-count.js';
import type { KillingGround } from './killing-ground.js';
import type { RoleProcess } from './role-process.js';
import { Seeded } from './seeded.js';
import { judgeFolder, proveFolder } from './verdict.js';
import { Writer, type Folder } from './writer.js';

const writerCount = 5;
const mostFaults = 10;
const drainMs = 180_000;
/** Kills between two complete comparisons. */
const provenEvery = 100;
const pollMs = 10;
/** Folders that are read at the same time. */
const readAtOnce = 5;

export class DisconnectedTrial {
  readonly writers: readonly Writer[];
  readonly seeded: Seeded;
  /** What was wrong when folders were looked at. */
  readonly spotFaults: string[] = [];
  /** Last words of processes that ended by themselves. */
  readonly died: string[] = [];
  readonly kills: KillCount;
  /** Kills while servers ran and changes waited. */
  killsInReplay = 0;
  /** Kills of a gateway that was not ready yet: it was reading its log. */
  killsInStart = 0;
  /** Complete comparisons. */
  proofs = 0;
  #nextProof = provenEvery;
  /** The servers were frozen, not killed. */
  #frozen = false;
  readonly #ground: KillingGround;
  readonly #client: WebdavClient;

  constructor(ground: KillingGround, kills: number, seed: number) {
    this.#ground = ground;
    this.#client = ground.client(ground.gateway.url);
    this.kills = new KillCount(kills);
    this.seeded = new Seeded(seed);
    this.writers = Array.from({ length: writerCount }, (_, index) => {
      return new Writer(this.#client, `w${index}`, new Seeded(seed * 1_000 + index));
    });
  }

  get acknowledged(): number {
    return this.writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  }

  get folders(): readonly Folder[] {
    return this.writers.flatMap((writer) => writer.folders);
  }

  get faults(): string[] {
    return this.writers.flatMap((writer) => writer.faults);
  }

  get unavailable(): string[] {
    return this.writers.flatMap((writer) => writer.unavailable);
  }

  get isOver(): boolean {
    const seen = this.faults.length + this.spotFaults.length + this.died.length;
    return this.kills.isReached || seen >= mostFaults;
  }

  /** From servers to none, and back to a log that is empty. */
  async round(): Promise<void> {
    await this.progress(10);
    await this.#withoutServers();
    await this.#whileReplaying();
    await this.#drained();
    if (this.kills.done < this.#nextProof || this.isOver) return;
    this.#nextProof = this.kills.done + provenEvery;
    await this.resting(() => this.prove((folder) => !folder.proven));
  }

  /** Until the writers have got somewhere. */
  async progress(changes: number): Promise<void> {
    const before = this.acknowledged;
    const enough = (): true | undefined => (this.acknowledged >= before + changes ? true : undefined);
    await until(`${changes} changes to be acknowledged`, 120_000, enough, pollMs);
  }

  /** All servers die, or freeze; then the gateway, several times, each time after some work. */
  async #withoutServers(): Promise<void> {
    const ground = this.#ground;
    this.#frozen = this.seeded.fraction() < 0.2;
    if (this.#frozen) for (const server of ground.servers) server.freeze();
    else await ground.kill(ground.servers);
    await ground.untilVolume('no server to be left', ({ avsg }) => avsg.length === 0);
    // A gateway that starts waits for frozen servers, as long as for a network that swallows everything.
    const kills = this.#frozen ? 1 + this.seeded.below(2) : 3 + this.seeded.below(6);
    for (let count = kills; count > 0 && !this.isOver; count -= 1) {
      await this.progress(10);
      await passing(this.seeded.below(150));
      await this.#killGateway();
      await this.look();
    }
    await this.progress(20 + this.seeded.below(200));
  }

  /** The servers come, all at once or one after the other; the gateway dies while it replays its log. */
  async #whileReplaying(): Promise<void> {
    const ground = this.#ground;
    const first = this.seeded.fraction() < 0.3 ? ground.servers.slice(0, 1) : ground.servers;
    await this.#revive(first);
    for (let count = 1 + this.seeded.below(5); count > 0 && !this.isOver; count -= 1) {
      // Some server has come, and the replay has begun; or it was over before that was seen.
      await until('a server to be reached', 60_000, this.#reached, pollMs);
      await passing(this.seeded.below(200));
      const { avsg, pendingRecords } = await ground.volume();
      if (avsg.length > 0 && pendingRecords > 0) this.killsInReplay += 1;
      await this.#killGateway();
      // A server that dies in the middle has applied some of it.
      const victim = this.seeded.fraction() < 0.2 ? first[this.seeded.below(first.length)] : undefined;
      if (victim !== undefined) {
        await passing(this.seeded.below(200));
        await ground.kill([victim]);
        await ground.start([victim]);
      }
    }
    await this.#revive(ground.servers.filter((server) => !first.includes(server)));
  }

  /** Now and then it dies again before it is ready. */
  async #killGateway(): Promise<void> {
    const { gateway, all } = this.#ground;
    this.died.push(...all.filter((role) => role.died).map((role) => role.log));
    await gateway.kill();
    this.#count();
    if (!this.isOver && this.seeded.fraction() < 0.15) {
      await gateway.startInVain(this.seeded.below(400));
      this.killsInStart += 1;
      this.#count();
    }
    await gateway.start();
  }

  #count(): void {
    this.kills.add(() => `${this.killsInReplay} in the replay, ${this.acknowledged} changes acknowledged`);
  }

  /** Frozen servers still get what was sent to them before. */
  async #revive(servers: readonly RoleProcess[]): Promise<void> {
    if (!this.#frozen) return this.#ground.start(servers);
    for (const server of servers) server.thaw();
  }

  readonly #reached = async (): Promise<true | undefined> => {
    const { avsg } = await this.#ground.volume();
    return avsg.length > 0 ? true : undefined;
  };

  /** The log must come to its end; meanwhile the writers rest. Then a folder is looked at. */
  async #drained(): Promise<void> {
    await this.resting(async () => {
      await this.#ground.untilVolume(
        'the log to be empty',
        ({ vsg, avsg, pendingRecords }) => {
          return pendingRecords === 0 && avsg.length === vsg.length;
        },
        drainMs,
      );
    });
    await this.look();
  }

  /** What the writers have just worked on must be as they know it, and an older folder too. */
  async look(): Promise<void> {
    await this.resting(async () => {
      const last = this.writers.flatMap((writer) => writer.folders.slice(-2));
      const older = this.seeded.pick(this.writers.flatMap((writer) => writer.folders.slice(0, -2)));
      const folders = older === undefined ? last : [...last, older];
      this.spotFaults.push(...(await each(folders, (folder) => judgeFolder(this.#client, folder))));
    });
  }

  /**
   * Compares the folders that `wanted` names, every name and byte, through the gateway and through one with an empty
   * cache: that shows what the servers have. The log must be empty, and the writers rest.
   */
  async prove(wanted: (folder: Folder) => boolean): Promise<void> {
    this.proofs += 1;
    const folders = this.folders.filter(wanted);
    this.spotFaults.push(...(await each(folders, (folder) => proveFolder(this.#client, folder))));
    const fresh = await this.#ground.freshGateway();
    const client = this.#ground.client(fresh.url);
    try {
      const faults = await each(folders, (folder) => judgeFolder(client, folder));
      this.spotFaults.push(...faults.map((fault) => `through an empty cache: ${fault}`));
    } finally {
      await client.close();
      await fresh.stop();
    }
    for (const folder of folders) folder.proven = true;
    this.kills.tell(`${folders.length} folders compared with what the servers have`);
  }

  /** Writers stand still while `act` runs. */
  async resting(act: () => Promise<void>): Promise<void> {
    await Promise.all(this.writers.map((writer) => writer.pause()));
    await act();
    for (const writer of this.writers) writer.resume();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

async function each(
  folders: readonly Folder[],
  judge: (folder: Folder) => Promise<string[]>,
): Promise<string[]> {
  const waiting = [...folders];
  const faults: string[] = [];
  const reader = async (): Promise<void> => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      faults.push(...(await judge(folder)));
    }
  };
  await Promise.all(Array.from({ length: readAtOnce }, reader));
  return faults;
}

function passing(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
