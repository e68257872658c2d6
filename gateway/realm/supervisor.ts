/**
 * The processes of an embedded realm: servers before gateways when they start, the other way round when they
 * stop; what dies is started again (child.ts).
 */
import type { Clock } from '../../vice/seam/clock.js';
import { nearestName } from '../config/nearest-name.js';
import { OperatorError } from '../config/operator-error.js';
import { Child, type ChildReport, type Launched } from './child.js';
import { statusSchema, type GatewayStatus, type ServerStatus, type Status } from './status.js';

export interface ChildPlan {
  readonly name: string;
  readonly role: 'vice' | 'gateway';
  /** Where it will listen, as far as it is known before it is ready. */
  readonly url: string;
}

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly plans: readonly ChildPlan[];
  launch(plan: ChildPlan, report: (report: ChildReport) => void): Launched;
  /** What a running child answers to `GET /status` at its control door. */
  ask(plan: ChildPlan): Promise<unknown>;
  /** A line for the person who watches. */
  progress(line: string): void;
  /** Called whenever all children have come to run, again after a restart. */
  allRunning(supervisor: Supervisor): void;
}

/** Milliseconds that a server has to tell how far it has caught up. */
const patienceMs = 1500;

export class Supervisor {
  readonly #options: SupervisorOptions;
  #servers: readonly Supervised[];
  readonly #gateways: readonly Supervised[];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const ofRole = (role: ChildPlan['role']): readonly Supervised[] =>
      options.plans.filter((plan) => plan.role === role).map((plan) => this.#supervise(plan));
    this.#servers = ofRole('vice');
    this.#gateways = ofRole('gateway');
  }

  /** Another server, which is started; it is tried again until it runs. */
  add(plan: ChildPlan): void {
    const server = this.#supervise(plan);
    this.#servers = [...this.#servers, server];
    // Why it does not start is told by `changed`.
    server.child.start().catch(() => undefined);
  }

  /** Stops the server, and forgets it. */
  async remove(name: string): Promise<void> {
    const server = this.#server(name);
    await server.child.stop();
    this.#servers = this.#servers.filter((other) => other !== server);
  }

  /** @throws OperatorError, or Error, with what the first child that failed has told */
  async start(): Promise<void> {
    await Promise.all(this.#servers.map(({ child }) => child.start()));
    await Promise.all(this.#gateways.map(({ child }) => child.start()));
  }

  /** In at most nine seconds. */
  async stop(): Promise<void> {
    await Promise.all(this.#gateways.map(({ child }) => child.stop()));
    await Promise.all(this.#servers.map(({ child }) => child.stop()));
  }

  /** At once. */
  kill(): void {
    for (const { child } of this.#all()) child.kill();
  }

  /** @throws OperatorError refused: no such server, or it does not start */
  async startServer(name: string): Promise<ServerStatus> {
    const server = this.#server(name);
    await server.child.start();
    return serverStatus(server);
  }

  /** @throws OperatorError refused: no such server */
  async stopServer(name: string): Promise<ServerStatus> {
    const server = this.#server(name);
    await server.child.stop();
    return serverStatus(server);
  }

  servers(): ServerStatus[] {
    return this.#servers.map(serverStatus);
  }

  gateways(): Pick<GatewayStatus, 'name' | 'pid' | 'url' | 'state'>[] {
    return this.#gateways.map(processOf);
  }

  async status(): Promise<Status> {
    const gateways = this.#gateways.map((gateway) => this.#gatewayStatus(gateway));
    const servers = this.#servers.map((server) => this.#serverStatus(server));
    return { servers: await Promise.all(servers), gateways: await Promise.all(gateways) };
  }

  async #serverStatus(server: Supervised): Promise<ServerStatus> {
    const own = serverStatus(server);
    // A frozen process holds its door open and says nothing: nobody waits long for what is only progress.
    const answer = await Promise.race([this.#ask(server), this.#patience()]);
    return { ...own, catchUps: answer?.servers[0]?.catchUps ?? [], scrub: answer?.servers[0]?.scrub ?? null };
  }

  async #gatewayStatus(gateway: Supervised): Promise<GatewayStatus> {
    const own = processOf(gateway);
    const answer = await this.#ask(gateway);
    const unknown = { volumes: [], deletedVolumes: [], servers: [], cache: null, conflicts: 0 };
    return { ...own, ...unknown, ...answer?.gateways[0], ...own };
  }

  #patience(): Promise<undefined> {
    return new Promise((resolve) => this.#options.clock.after(patienceMs, () => resolve(undefined)));
  }

  /** Undefined: it does not run, or died between two looks; its state will tell. */
  async #ask({ plan, child }: Supervised): Promise<Status | undefined> {
    if (child.state !== 'running') return undefined;
    try {
      return statusSchema.parse(await this.#options.ask(plan));
    } catch {
      return undefined;
    }
  }

  #supervise(plan: ChildPlan): Supervised {
    const { clock, launch } = this.#options;
    const child = new Child({
      name: plan.name,
      clock,
      launch: (report) => launch(plan, report),
      changed: (changed, why) => this.#changed(changed, why),
    });
    return { plan, child };
  }

  #server(name: string): Supervised {
    const server = this.#servers.find(({ plan }) => plan.name === name);
    if (server !== undefined) return server;
    const names = this.#servers.map(({ plan }) => plan.name);
    const nearest = nearestName(name, names);
    const advice = nearest === undefined ? `It has ${names.join(', ')}.` : `Did you mean "${nearest}"?`;
    throw new OperatorError('refused', `The realm has no server "${name}". ${advice}`);
  }

  #changed(child: Child, why: string): void {
    this.#options.progress(`${child.name}: ${why}`);
    const allRun = this.#all().every((supervised) => supervised.child.state === 'running');
    if (allRun) this.#options.allRunning(this);
  }

  #all(): Supervised[] {
    return [...this.#servers, ...this.#gateways];
  }
}

interface Supervised {
  readonly plan: ChildPlan;
  readonly child: Child;
}

function serverStatus(server: Supervised): ServerStatus {
  return { ...processOf(server), catchUps: [], scrub: null };
}

function processOf({ plan, child }: Supervised): Pick<GatewayStatus, 'name' | 'pid' | 'url' | 'state'> {
  return { name: plan.name, pid: child.pid, url: child.url ?? plan.url, state: child.state };
}
