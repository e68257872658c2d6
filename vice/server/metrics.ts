/** What a server counts, in the Prometheus text format. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { replicaStates, type ScrubReport } from '../interface/index.js';
import type { ResolutionMeter } from '../resolution/resolver-world.js';
import type { Replica } from '../volume/replica.js';

/** Read when the metrics are fetched. */
export interface Readings {
  sessions(): ReadonlyMap<string, number>;
  stagedBytes(): number;
  volumes(): Promise<readonly VolumeReading[]>;
  scrub(): ScrubReading;
}

export type ScrubReading = Pick<ScrubReport, 'open' | 'running' | 'healed' | 'endedAt' | 'bytes'>;

export interface VolumeReading {
  readonly volume: string;
  readonly stamp: number;
  readonly usedBytes: number;
  /** Objects that a person has to decide about. */
  readonly conflicts: number;
  /** Objects that resolution could not settle yet. */
  readonly unsettled: number;
  /** Changes of peers that are still to be read. */
  readonly behind: number;
  /** What its files may take; null: as much as the disks take. */
  readonly quotaBytes: number | null;
  readonly isLocked: boolean;
  readonly snapshots: number;
  /** That are being brought here, or put right. */
  readonly comingSnapshots: number;
  readonly standing: Replica['standing'];
}

export interface Metrics extends ResolutionMeter {
  /** One call, how it ended (`ok` or a failure kind) and how long it took, in seconds. */
  called(name: string, outcome: string, seconds: number): void;
  breaksPushed(count: number): void;
  /** Bytes of contents, or of their digests, on their way to a gateway. */
  served(bytes: number): void;
  /** Bytes of an upload or a download that have passed. */
  transferred(direction: 'in' | 'out', bytes: number): void;
  text(): Promise<{ readonly type: string; readonly body: string }>;
}

export function serverMetrics(readings: Readings): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const calls = new Counter({
    name: 'vice_calls_total',
    help: 'Calls by name and outcome',
    labelNames: ['name', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'vice_call_seconds',
    help: 'Time from a call to its reply',
    labelNames: ['name'],
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
  const breaks = counter('vice_callback_breaks_total', 'Callback breaks pushed');
  const served = counter('vice_served_bytes_total', 'Container bytes sent to gateways');
  const installed = counter('vice_resolution_installed_total', 'Objects installed from peers');
  const fetched = counter('vice_resolution_fetched_bytes_total', 'Container bytes fetched from peers');
  const damaged = counter('vice_containers_damaged_total', 'Containers found missing or damaged');
  const transferred = new Counter({
    name: 'vice_transfer_bytes_total',
    help: 'Bytes of uploads (in) and downloads (out), as they travelled',
    labelNames: ['direction'],
    registers,
  });
  addReadings(registry, readings);
  return {
    called(name, outcome, duration) {
      calls.inc({ name, outcome });
      seconds.observe({ name }, duration);
    },
    breaksPushed: (count) => breaks.inc(count),
    served: (bytes) => served.inc(bytes),
    transferred: (direction, bytes) => transferred.inc({ direction }, bytes),
    installed: (count) => installed.inc(count),
    fetched: (bytes) => fetched.inc(bytes),
    damaged: () => damaged.inc(),
    text: async () => ({ type: registry.contentType, body: await registry.metrics() }),
  };
}

function addReadings(registry: Registry, readings: Readings): void {
  const registers = [registry];
  new Gauge({
    name: 'vice_sessions',
    help: 'Open sessions by role',
    labelNames: ['role'],
    registers,
    collect() {
      this.reset();
      for (const [role, count] of readings.sessions()) this.set({ role }, count);
    },
  });
  new Gauge({
    name: 'vice_staged_bytes',
    help: 'Bytes of contents that no mutation has claimed yet',
    registers,
    collect() {
      this.set(readings.stagedBytes());
    },
  });
  const scrubGauge = (name: string, help: string, read: (scrub: ScrubReading) => number): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(readings.scrub()));
      },
    });
  scrubGauge('vice_scrub_open', 'Faults that the scrub could not heal', ({ open }) => open);
  scrubGauge('vice_scrub_running', 'Whether a scrub runs', ({ running }) => (running ? 1 : 0));
  scrubGauge(
    'vice_scrub_bytes',
    'Bytes of contents that this scrub, or the last one, has read',
    ({ bytes }) => bytes,
  );
  scrubGauge(
    'vice_scrub_healed',
    'Faults that this scrub, or the last one, has healed',
    ({ healed }) => healed,
  );
  const endedAt = (scrub: ScrubReading): number => (scrub.endedAt ?? 0) / 1000;
  scrubGauge('vice_scrub_end_seconds', 'When the last scrub ended, in seconds since 1970', endedAt);
  addVolumeReadings(registers, readings);
}

function addVolumeReadings(registers: Registry[], readings: Readings): void {
  const volumeGauge = (name: string, help: string, read: (volume: VolumeReading) => number | null): Gauge =>
    new Gauge({
      name,
      help,
      labelNames: ['volume'],
      registers,
      async collect() {
        this.reset();
        for (const volume of await readings.volumes()) {
          const value = read(volume);
          if (value !== null) this.set({ volume: volume.volume }, value);
        }
      },
    });
  volumeGauge('vice_volume_stamp', 'Changes of the volume replica', (volume) => volume.stamp);
  volumeGauge('vice_volume_used_bytes', 'Bytes of the volume replica', (volume) => volume.usedBytes);
  volumeGauge(
    'vice_volume_conflicts',
    'Objects that a person has to decide about',
    (volume) => volume.conflicts,
  );
  volumeGauge('vice_volume_unsettled', 'Objects to be resolved again', (volume) => volume.unsettled);
  volumeGauge('vice_volume_behind', 'Changes of peers still to be read', (volume) => volume.behind);
  volumeGauge(
    'vice_volume_quota_bytes',
    'Bytes that the volume may take; absent: there is no quota',
    (volume) => volume.quotaBytes,
  );
  volumeGauge('vice_volume_locked', 'Whether it takes no changes', ({ isLocked }) => (isLocked ? 1 : 0));
  volumeGauge('vice_volume_snapshots', 'Snapshots of the volume replica', (volume) => volume.snapshots);
  volumeGauge(
    'vice_volume_snapshots_coming',
    'Snapshots that are being brought here from other servers',
    (volume) => volume.comingSnapshots,
  );
  new Gauge({
    name: 'vice_volume_on_its_way',
    help: 'Whether the volume replica is filling, or leaving',
    labelNames: ['volume', 'state'],
    registers,
    async collect() {
      this.reset();
      for (const { volume, standing } of await readings.volumes()) {
        for (const state of replicaStates) this.set({ volume, state }, standing === state ? 1 : 0);
      }
    },
  });
}
