/** A realm's volumes form one tree, whoever mounts what. */
import t from 'tap';
import { mountFault, mountsOf, volumesAbove, type Fid, type VolumeEntry, type VolumeId } from './index.js';

const [root, drawings, letters] = ['7f000001', '7f000002', '7f000003'] as VolumeId[] as [
  VolumeId,
  VolumeId,
  VolumeId,
];
const place = (volume: VolumeId, vnode: string): Fid => `${volume}.${vnode}.1` as Fid;

function realm(mounts: Partial<Record<VolumeId, Fid>>): { volumes: VolumeEntry[]; rootVolume: VolumeId } {
  const volumes = [root, drawings, letters].map((id) => ({ id, name: id, replicas: [], mount: mounts[id] }));
  return { volumes, rootVolume: root };
}

t.test('a volume is seen where it is mounted', async (t) => {
  const at = place(root, '2');
  t.strictSame([...mountsOf(realm({ [drawings]: at }))], [[at, drawings]]);
  t.equal(mountsOf(realm({})).size, 0);
});

t.test('the volumes in whose trees one is', async (t) => {
  const nested = realm({ [drawings]: place(root, '2'), [letters]: place(drawings, '5') });
  t.strictSame(volumesAbove(nested, letters), [letters, drawings, root]);
  t.strictSame(volumesAbove(realm({}), letters), [letters], 'one that is in no tree');
  const circle = realm({ [drawings]: place(letters, '2'), [letters]: place(drawings, '5') });
  t.strictSame(volumesAbove(circle, letters), [letters, drawings], 'a circle, which cannot be');
});

t.test('what cannot be mounted where', async (t) => {
  const free = realm({});
  t.equal(mountFault(free, drawings, place(root, '2')), undefined);
  t.match(mountFault(free, root, place(drawings, '2')), /root volume/, 'MT-3');
  t.match(mountFault(free, drawings, place(drawings, '2')), /inside/, 'in itself');
  t.match(mountFault(free, drawings, place(root, '1')), /root of a volume/);
  const nested = realm({ [drawings]: place(root, '2'), [letters]: place(drawings, '5') });
  t.equal(mountFault(nested, drawings, place(root, '2')), undefined, 'where it is');
  t.match(mountFault(nested, drawings, place(root, '3')), /elsewhere/, 'MT-1');
  t.match(mountFault(nested, letters, place(root, '2')), /elsewhere/, 'MT-1');
  const half = realm({ [letters]: place(drawings, '5') });
  t.match(mountFault(half, drawings, place(letters, '7')), /inside/, 'MT-2: through another one');
  t.match(mountFault(realm({ [drawings]: place(root, '2') }), letters, place(root, '2')), /another/, 'MT-1');
});
