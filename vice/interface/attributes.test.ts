/** Who has set an attribute last. */
import t from 'tap';
import { setterOf } from './attributes.js';
import {
  makeFid,
  makeStoreId,
  venusOfAuthor,
  type Mutation,
  type StoreIdVector,
  type VenusId,
  type VolumeId,
} from './index.js';

const other = '00000000000000ff' as VenusId;
const fid = makeFid('7f000001' as VolumeId, 2, other);
const chmod: Omit<Extract<Mutation, { op: 'chmod' }>, 'storeId' | 'base'> = {
  op: 'chmod',
  fid,
  mode: 0o600,
  time: 0,
  author: 'ann',
  host: 'gateway',
};

void t.test('nobody comes before what he had seen, also of several users of a gateway', async (t) => {
  const gateway = 'a'.repeat(16) as VenusId;
  const [ann, bob] = [venusOfAuthor(gateway, 'ann'), venusOfAuthor(gateway, 'bob')];
  const rankOf = (by: VenusId, counter: number, seen: StoreIdVector): number => {
    return setterOf({ ...chmod, storeId: makeStoreId(by, counter), base: { [fid]: seen } }, fid).rank;
  };
  const hers = rankOf(ann, 500, {});
  const his = rankOf(bob, 900, { [ann]: 500 });
  const elsewhere = rankOf(other, 2, { [ann]: 500, [bob]: 900 });
  const again = rankOf(ann, 901, { [ann]: 500, [bob]: 900, [other]: 2 });
  t.same([hers, his, elsewhere, again], [500, 900, 902, 903]);
  t.equal(
    rankOf(bob, 900, {}),
    his,
    'what he says that he has seen of her does not matter: it may be said later',
  );
});
