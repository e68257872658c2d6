/** A realm of two volumes on different servers: `root` on s1 and s2, `drawings` on s3 and s4, seen at /drawings. */
import { Rehearsal, type RehearsedRequest, type Reply } from '../../gateway/webdav/rehearsal.js';
import { failureAnswer } from '../../gateway/webdav/status.js';
import { copy } from '../../gateway/webdav/copy.js';
import { move } from '../../gateway/webdav/move.js';
import { remove } from '../../gateway/webdav/delete.js';
import type { Venus, VolumeState } from '../../venus/interface.js';
import type { Fid, RealmDocument, VolumeEntry, VolumeId } from '../../vice/interface/index.js';
import { makeDirectory, pathOf } from './share.js';
import type { SimulatedRealm, SimulatedRealmOptions } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';

export const drawings = '7f000002' as VolumeId;
export const drawingServers = ['s3', 's4'];

const methods = { MOVE: move, COPY: copy, DELETE: remove };

type Answered = Pick<Reply, 'status' | 'text'>;

export class VolumesStory {
  readonly realm: SimulatedRealm;
  #document: RealmDocument;

  private constructor(realm: SimulatedRealm) {
    this.realm = realm;
    this.#document = realm.document;
  }

  static async begin(options: SimulatedRealmOptions, gateways = ['g1']): Promise<VolumesStory> {
    const change = (document: RealmDocument): RealmDocument => {
      const replicas = drawingServers.map((name) => ({ id: name, server: name }));
      return { ...document, volumes: [...document.volumes, { id: drawings, name: 'drawings', replicas }] };
    };
    const all = { servers: 4, holding: 2, change, ...options };
    const story = new VolumesStory(await startedRealm(all, gateways));
    const { fid } = await story.finish(makeDirectory(story.venus(), '/drawings'));
    await story.mount(fid);
    return story;
  }

  venus(name = 'g1'): Venus {
    return this.realm.gateway(name);
  }

  finish<T>(promise: Promise<T>): Promise<T> {
    return this.realm.finish(promise);
  }

  /** Where `drawings` is seen from now on. */
  mount(mount: Fid | undefined): Promise<void> {
    const volumes = this.#document.volumes.map((each) => (each.id === drawings ? { ...each, mount } : each));
    return this.#publish({ volumes });
  }

  /** `drawings` is no more. */
  delete(): Promise<void> {
    const volumes = this.#document.volumes.filter(({ id }) => id !== drawings);
    return this.#publish({ volumes, retiredVolumes: [drawings] });
  }

  /** What the realm document says of a volume from now on. */
  set(name: string, said: Partial<Pick<VolumeEntry, 'quotaBytes' | 'locked' | 'conflicts'>>): Promise<void> {
    const { volumes } = this.#document;
    return this.#publish({
      volumes: volumes.map((each) => (each.name === name ? { ...each, ...said } : each)),
    });
  }

  async #publish(change: Partial<RealmDocument>): Promise<void> {
    this.#document = { ...this.#document, version: this.#document.version + 1, ...change };
    await this.finish(this.realm.server('s1').location.adopt(this.#document));
    await this.realm.clock.advance(1000);
  }

  /** The gateway dies, if it is not dead already, and starts again; it has the time to hear of everything. */
  async restart(gateway = 'g1'): Promise<void> {
    if (this.realm.isUp(gateway)) this.realm.kill(gateway);
    await this.realm.startGateway(gateway);
    await this.realm.clock.advance(10_000);
  }

  volume(name: string, gateway = 'g1'): VolumeState {
    const found = this.venus(gateway)
      .state()
      .volumes.find((each) => each.name === name);
    if (found === undefined) throw new Error(`there is no volume ${name}`);
    return found;
  }

  /** A request at the door of a gateway, and its answer. */
  async ask(method: keyof typeof methods, path: string, to = '', gateway = 'g1'): Promise<Answered> {
    try {
      return await this.finish(this.door(gateway).send(methods[method], method, path, headersFor(to)));
    } catch (error) {
      const { status, body } = failureAnswer(error, method, { kind: 'other', userAgent: '' });
      return { status, text: String(body) };
    }
  }

  /** As `ask`, but time is moved by whoever tells the story. */
  begun(method: keyof typeof methods, path: string, to: string): Promise<Reply> {
    return this.door('g1').send(methods[method], method, path, headersFor(to));
  }

  door(gateway = 'g1'): Rehearsal {
    const door = new Rehearsal(this.venus(gateway));
    door.share = { ...door.share, random: this.realm.random };
    return door;
  }

  /** Resolves when the gateway has noticed. */
  cut(servers: readonly string[], gateway = 'g1'): Promise<void> {
    for (const server of servers) this.realm.network.cut(gateway, server);
    return this.#until(
      gateway,
      ({ vsg, avsg }) => avsg.length === 0 || !vsg.every((each) => servers.includes(each)),
    );
  }

  /** Resolves when its logs are empty. */
  heal(servers: readonly string[], gateway = 'g1'): Promise<void> {
    for (const server of servers) this.realm.network.heal(gateway, server);
    return this.#until(
      gateway,
      ({ vsg, avsg, pendingRecords, state }) =>
        avsg.length === vsg.length && pendingRecords === 0 && state === 'hoarding',
    );
  }

  async #until(gateway: string, holds: (volume: VolumeState) => boolean): Promise<void> {
    const { clock } = this.realm;
    for (let waited = 0; !this.venus(gateway).state().volumes.every(holds); waited += 250) {
      if (waited > 5 * 60_000) throw new Error(`${gateway}: what was waited for does not come`);
      await clock.advance(250);
    }
  }

  /** What is at `path`; undefined: nothing. */
  async fidOf(path: string, gateway = 'g1'): Promise<Fid | undefined> {
    const found = await this.finish(this.venus(gateway).lookup({ user: 'ann' }, pathOf(path)));
    return found.object?.fid;
  }
}

function headersFor(to: string): RehearsedRequest {
  return to === '' ? {} : { headers: { destination: `http://h/s${encodeURI(to)}` } };
}
