/** A realm with two volumes, on which administrative commands are killed, and with an administrator who looks. */
import { readFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Administration } from '../../gateway/administration/administration.js';
import { onlyKey, realmDocumentSchema, type SnapshotId } from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { wsNetwork } from '../../vice/seam/real/ws-network.js';
import { until } from '../program.js';
import type { WebdavClient } from '../webdav-client.js';
import { KillingGround } from './killing-ground.js';
import {
  base,
  orderOf,
  small,
  volumeIn,
  work,
  type Looking,
  type Order,
  type OrderKind,
  type Report,
} from './orders.js';
import type { Seeded } from './seeded.js';
import { SpareCommand, type CommandEnded } from './spare-command.js';

const reportSchema = z.object({
  volumes: z.record(z.string(), z.object({ objects: z.number() })),
  stagedBytes: z.number(),
});

const files = { small: 60, large: 4, largeBytes: 700_000 } as const;

export class CommandGround implements Looking {
  readonly ground: KillingGround;
  readonly client: WebdavClient;
  readonly administration: Administration;
  readonly folder: string;
  readonly objects = 1 + 1 + files.small + files.large;
  #spare = new SpareCommand();

  private constructor(ground: KillingGround, administration: Administration, folder: string) {
    this.ground = ground;
    this.client = ground.client(ground.gateway.url);
    this.administration = administration;
    this.folder = folder;
  }

  static async open(folder: string, seeded: Seeded): Promise<CommandGround> {
    const data = join(folder, 'realm');
    const dumps = join(folder, 'dumps');
    await mkdir(dumps, { recursive: true });
    const ground = await KillingGround.open(data, { spares: true });
    const realm = realmDocumentSchema.parse(JSON.parse(await readFile(join(data, 'realm.json'), 'utf8')));
    const clock = systemClock();
    const network = wsNetwork({ clock, log: silentLog, certificates: undefined });
    const key = await readFile(join(data, 'realm.key'));
    const opened = new CommandGround(
      ground,
      new Administration(realm, onlyKey(key), 'looker', { clock, network }),
      dumps,
    );
    try {
      await opened.#fill(seeded);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  get dumpFile(): string {
    return join(this.folder, 'full.dump');
  }

  order(kind: OrderKind, name: string): Order {
    const { words, ...order } = orderOf(kind, name, this);
    return { ...order, words: words.map((word) => word.replace(/^FOLDER/, this.folder)) };
  }

  /** `coda volume ...`, with another process ready for the next one. */
  async run(
    { words }: Pick<Order, 'words'>,
    underway?: (command: SpareCommand) => Promise<void>,
  ): Promise<CommandEnded> {
    const command = this.#spare;
    this.#spare = new SpareCommand();
    const { data } = this.ground;
    const where = ['--realm', join(data, 'realm.json'), '--key', join(data, 'realm.key')];
    const own =
      words[0] === 'create' ? ['--data', join(data, 'gateways', 'g1'), '--user', this.ground.login.user] : [];
    return command.run(['volume', ...words, ...where, ...own], async () => underway?.(command));
  }

  /** @throws Error: it does not end well */
  async must(...words: readonly string[]): Promise<void> {
    const { code, output } = await this.run({ words });
    if (code !== 0) throw new Error(`coda volume ${words.join(' ')}: ${code}\n${output}`);
  }

  async report(server: string): Promise<Report | undefined> {
    const report = reportSchema.safeParse(await this.administration.report(server));
    return report.success ? report.data : undefined;
  }

  async snapshots(volume: string): Promise<readonly (SnapshotId & { readonly server: string })[]> {
    const entry = volumeIn(await this.administration.document(), volume);
    if (entry === undefined) throw new Error(`there is no volume ${volume}`);
    const each = entry.replicas.map(async ({ server }) => {
      const { snapshots } = await this.administration.snapshots(server, entry.id);
      return snapshots.map(({ name, time }) => ({ name, time, server }));
    });
    return (await Promise.all(each)).flat();
  }

  async dropSnapshot(volume: string, name: string): Promise<void> {
    const entry = volumeIn(await this.administration.document(), volume);
    for (const { server } of entry?.replicas ?? []) {
      await this.administration.dropSnapshot(server, entry?.id ?? ('' as never), name);
    }
  }

  async unmake(volume: string): Promise<void> {
    for (const { id, name } of (await this.administration.document()).volumes) {
      if (name !== volume) continue;
      await this.administration.publish({ change: 'unmount-volume', volume: id });
      await this.administration.publish({ change: 'delete-volume', volume: id });
    }
  }

  /** All servers answer the administrator, and reach each other. */
  async calm(): Promise<void> {
    await until('all servers to answer', 60_000, async () => {
      const reports = await Promise.all(['s1', 's2', 's3'].map((server) => this.report(server)));
      return reports.every((report) => report !== undefined) ? true : undefined;
    });
    await this.ground.calm();
  }

  async close(): Promise<void> {
    this.#spare.kill();
    await this.administration.close();
    await this.client.close();
    await this.ground.close();
  }

  async #fill(seeded: Seeded): Promise<void> {
    await this.must('create', work, '--servers', 's1,s2', '--mount', `/${work}`);
    await this.must('create', small, '--servers', 's1,s2', '--mount', `/${small}`);
    await this.#put('MKCOL', `/${work}/letters`);
    for (let index = 0; index < files.small; index += 1) {
      await this.#put('PUT', `/${work}/letters/${index}`, seeded.bytes(20 + seeded.below(3000)));
    }
    for (let index = 0; index < files.large; index += 1) {
      await this.#put('PUT', `/${work}/plan-${index}`, seeded.bytes(files.largeBytes));
    }
    for (let index = 0; index < 20; index += 1)
      await this.#put('PUT', `/${small}/${index}`, seeded.bytes(2000));
    await this.ground.calm(true);
    await this.must('dump', work, this.dumpFile);
    await this.must('snapshot', 'create', work, base);
  }

  async #put(method: string, path: string, body?: Buffer): Promise<void> {
    const { status } = await this.client.request(method, path, body === undefined ? {} : { body });
    if (status !== 201 && status !== 204) throw new Error(`${method} ${path} is answered ${status}`);
  }
}
